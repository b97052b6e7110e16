from elva.models.mergers import Merger, Site


class Plain(Merger):
    def sites(self, depth):
        return [(0, "pre_attn")]

    def forward(self, state, site, attn=None):
        return state


def test_a_merger_that_says_no_more_promises_no_numbers():
    assert Plain().schedule(100, 4) is None
    assert Plain.identity == ()


def test_a_site_is_its_pair():
    assert Site(2, "post_layer") == (2, "post_layer")
