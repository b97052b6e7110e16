import torch

from elva.models.reducers.sites import Sites, similarity
from elva.structures import Kind
from elva.testing.reducer_contract import draw

HYBRID = ((4, 4), (2, 2), (4, 4), (2, 2), (4, 4))


def test_sites_are_the_patches_of_each_frame_in_raster_order():
    tokens = draw([HYBRID, ((4, 4),)])
    sites = Sites.of(tokens)
    assert sites.there_BTS.sum(2).tolist() == [[16, 4, 16, 4, 16], [16, 0, 0, 0, 0]]
    for video, frame in ((0, 1), (0, 4), (1, 0)):
        own = sites.at_BTS[video, frame][sites.there_BTS[video, frame]]
        patches = (tokens.kind[video] == Kind.PATCH) & (tokens.frame[video] == frame)
        assert own.tolist() == patches.nonzero()[:, 0].tolist()


def test_each_patch_has_one_site_in_its_frame_at_its_slot():
    tokens = draw([HYBRID, ((2, 3),) * 2])
    sites = Sites.of(tokens)
    assert int(sites.there_BTS.sum()) == int((tokens.kind == Kind.PATCH).sum())
    for video, frame, slot in sites.there_BTS.nonzero().tolist():
        row = sites.at_BTS[video, frame, slot]
        place = tokens.kind[video, row], tokens.frame[video, row], tokens.slot[video, row]
        assert place == (Kind.PATCH, frame, slot)


def test_tokens_without_slots_have_no_sites():
    tokens = draw([((2, 2),)])
    sites = Sites.of(tokens.replace(slot=torch.full_like(tokens.slot, -1)))
    assert not sites.there_BTS.any() and (sites.stream_BT == -1).all()


def test_frames_of_one_size_are_counted_and_compared_among_themselves():
    tokens = draw([HYBRID, ((4, 4),)])
    sites = Sites.of(tokens)
    assert sites.ordinal_BT.tolist() == [[0, 0, 1, 1, 2], [0, 0, 0, 0, 0]]
    assert sites.earlier(torch.ones_like(sites.stream_BT))[0].tolist() == [0, 1, 0, 1, 2]
    assert sites.earlier(torch.full_like(sites.stream_BT, 2))[0].tolist() == [0, 1, 2, 3, 0]


def test_similarity_is_the_cosine_of_the_same_place():
    tokens = draw([HYBRID])
    sites = Sites.of(tokens)
    got = similarity(tokens, sites, torch.tensor([[0, 1, 0, 0, 2]]))
    x = [tokens.x[0][(tokens.kind[0] == Kind.PATCH) & (tokens.frame[0] == t)] for t in range(5)]
    expected = torch.nn.functional.cosine_similarity(x[2], x[0])
    assert torch.allclose(got[0, 2][sites.there_BTS[0, 2]], expected, atol=1e-6)
    assert (got[0, 3] == -2).all(), "frames of two sizes have no place in common"


def test_a_place_that_was_dropped_is_like_nothing():
    tokens = draw([((2, 2),) * 2], delimiters=False)
    tokens = tokens.select(torch.tensor([[True, True, False, True, True, True, True, True]]))
    sites = Sites.of(tokens)
    got = similarity(tokens, sites, torch.tensor([[0, 0]]))
    patches = [0, 1, 3, 4]  # the slots between are those of lines
    assert (got[0, 1][patches] == -2).tolist() == [False, False, True, False]


def test_a_patch_that_spans_frames_is_of_the_frame_where_it_stands():
    tokens = draw([((2, 2),) * 3], delimiters=False)
    rows = torch.arange(12)[None]
    merged = tokens.fold(torch.where((rows >= 4) & (rows < 8), rows - 4, rows))
    assert (merged.frame[0, :4] == -1).all()
    assert Sites.of(merged).there_BTS.sum(2).tolist() == [[4, 4]]


def test_moved_sites_are_at_their_new_numbers():
    tokens = draw([((2, 2),) * 2])
    sites = Sites.of(tokens)
    keep = torch.arange(tokens.x.shape[1])[None] % 3 != 0
    moved, kept = sites.moved(keep), tokens.select(keep)
    assert torch.equal(moved.take(kept.slot)[moved.there_BTS], moved.there_BTS.nonzero()[:, 2])
    assert int(moved.there_BTS.sum()) == int((kept.kind == Kind.PATCH).sum()) < 8
