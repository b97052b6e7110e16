import pytest
import torch

from elva.models.mergers import Site, ToMe, bipartite
from elva.models.mergers.bipartite import bipartite_matching
from elva.models.mergers.similarity import metric
from elva.structures import Kind
from elva.testing import MERGER_CONTRACT, make_prompt, tiny_decoder
from elva.testing.case import SAMPLES, run

SITE = Site(1, "post_attn")


@pytest.mark.parametrize("check", MERGER_CONTRACT)
@pytest.mark.parametrize("settings", [{"window": 5}, {"rows": 3}])
def test_contract(check, settings, monkeypatch):
    monkeypatch.setattr(bipartite, "_CHUNK", 4)  # so that sequences as short as these have several
    check("ToMe", **settings)


def one_image(patches):
    """A ``FRAME`` row and so many patches, as a vision transformer has them, and two text rows around."""
    state = make_prompt(tiny_decoder(12), [(1, [(1, patches)], 1)], seed=6).state
    return state.select(state.kind != Kind.LINE)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (8, [197, 189, 181, 173, 165, 157, 149, 141, 133, 125, 117, 109, 101]),
        (16, [197, 181, 165, 149, 133, 117, 101, 85, 69, 53, 37, 21, 11]),
    ],
)
def test_published_counts_of_a_vision_transformer(rows, expected):
    """197 tokens through 12 layers, the first of them protected: ``r`` goes in each, or half of what may go."""
    state = one_image(196)
    merger = ToMe(range(12), rows=rows)
    out, trace = run(tiny_decoder(12), state, merger)
    left = [int(s.visual.sum()) for s in trace.states] + [int(out.visual.sum())]
    assert left == expected
    assert merger.schedule(197, 12) == expected[:-1]


@pytest.mark.parametrize("window", [None, 20])
def test_sizes_and_weighted_sums_are_conserved(window):
    state = one_image(196)
    merger = ToMe((0, 1, 2), rows=40, window=window)
    total, patches = (state.h * state.size[..., None]).sum(1), state.size.sum()
    for layer in range(3):
        state = merger(state, Site(layer, "post_attn"))
    assert state.h.shape[1] == 2 + 197 - 120
    assert state.size.sum() == patches
    torch.testing.assert_close((state.h * state.size[..., None]).sum(1), total, atol=1e-4, rtol=1e-5)


def test_the_share_holds_where_there_are_fewer_rows_than_asked_for():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    assert torch.equal(ToMe((1,), 0.2, rows=10**6)(state, SITE).src.dst, ToMe((1,), 0.2)(state, SITE).src.dst)


@pytest.mark.parametrize("window", [None, 2])
def test_it_folds_as_the_matching_says(window):
    state = make_prompt(tiny_decoder(), SAMPLES).state
    out = ToMe((1,), 0.3, "raw", window=window)(state, SITE)
    most = (0.3 * state.visual.sum(1)).long()
    into = bipartite_matching(metric(state, None, "raw"), state.mergeable, state.kind, most, window)
    assert torch.equal(out.src.dst, state.fold(into).src.dst)


def test_the_surviving_rows_keep_their_order():
    """The published code returns the unmerged rows first."""
    state = make_prompt(tiny_decoder(), SAMPLES).state
    out = ToMe((1,), 0.5)(state, SITE)
    rising = (out.pos[:, 1:] > out.pos[:, :-1]) | ~out.valid[:, 1:]
    assert rising.all()


def test_patches_and_lines_never_pair():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    out = ToMe((1,), 0.5)(state, SITE)
    for b in range(len(SAMPLES)):
        for row, dst in enumerate(out.src.dst[b].tolist()):
            if dst >= 0:
                assert out.kind[b, dst] == state.kind[b, row]


def test_the_share_is_one_of_the_visual_rows_and_the_schedule_says_it():
    llm = tiny_decoder()
    state = make_prompt(llm, [(3, [(3, 3)] * 8, 4)]).state
    merger = ToMe((1, 2), ratio=0.29)
    _, trace = run(llm, state, merger)
    rows = [int((s.visual & s.valid).sum()) for s in trace.states]
    assert rows == merger.schedule(104, 4) == [104, 104, 74, 53]


def test_a_place_may_join_any_other_place():
    """What sets it apart from the temporal merger: two like rows of one frame meet."""
    state = make_prompt(tiny_decoder(), [(1, [(2, 3)], 1)]).state
    h = state.h.clone()
    patches = (state.kind[0] == Kind.PATCH).nonzero().squeeze(1)
    h[0, patches[0]] = h[0, patches[5]]
    out = ToMe((1,), 0.1, "raw")(state.replace(h=h), SITE)
    assert int(state.lengths - out.lengths) == 0  # a tenth of nine rows is no row
    out = ToMe((1,), 0.12, "raw")(state.replace(h=h), SITE)
    dst = out.src.dst[0]
    assert dst[patches[0]] == dst[patches[5]]


def test_one_mergeable_row_has_no_partner():
    state = make_prompt(tiny_decoder(), [(2, [(1, 1)], 2)]).state
    state = state.replace(slot=state.slot.masked_fill(state.kind == Kind.LINE, -1))
    assert ToMe((1,), 0.5)(state, SITE) is state


def test_streaming_gives_merged_rows_the_latest_rank():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    out = ToMe((1,), 0.5, streaming=True)(state, SITE)
    for b in range(len(SAMPLES)):
        for row in range(int(out.lengths[b])):
            members = (out.src.dst[b] == row).nonzero().squeeze(1)
            assert int(out.rank[b, row]) == int(members.max())


def test_settings_out_of_range_are_refused():
    for name in ("rows", "window"):
        with pytest.raises(ValueError, match=f"ToMe: {name}=0 is a number of rows: give at least 1"):
            ToMe(**{name: 0})
    with pytest.raises(ValueError, match=r"ToMe: ratio=0.6 .*give 0 to 0.5"):
        ToMe(ratio=0.6)
    with pytest.raises(ValueError, match=r"ToMe: acts at the layers \[2, 6\], but the language model has only 4"):
        ToMe().sites(4)
    assert ToMe().sites(28) == [(2, "post_attn"), (6, "post_attn")]
