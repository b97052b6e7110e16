import torch

from elva.models.reducers.selection import Sites, absorb, hand_over, mean_weights, similarity
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


def test_absorbed_tokens_are_weighted_and_the_others_stay_to_the_last_bit():
    tokens = draw([((1, 3),), ((1, 2),)], delimiters=False)
    keep = torch.tensor([[False, True, True], [True, True, False]])
    dst, src = torch.tensor([[1, -1], [-1, -1]]), torch.tensor([[0, 2], [0, 0]])
    own = torch.tensor([[1.0, 0.5, 1.0], [1.0, 1.0, 1.0]])
    out = absorb(tokens, keep, own, dst, src, torch.full((2, 2), 0.25))
    assert torch.allclose(out.x[0, 0], 0.5 * tokens.x[0, 1] + 0.25 * tokens.x[0, 0])
    assert torch.equal(out.x[0, 1], tokens.x[0, 2])
    assert torch.equal(out.x[1], tokens.x[1, :2])
    assert out.slot.tolist() == [[1, 2], [0, 1]]


def test_sizes_and_attention_go_with_the_tokens():
    tokens = draw([((1, 3),)], delimiters=False)
    out = hand_over(tokens, torch.tensor([[1, -1, 1]]), torch.tensor([[0, 1, 2]]))
    assert out.size[0, 1] == 3
    assert torch.allclose(out.attn[0, 1], tokens.attn[0].sum())


def test_shares_are_by_size():
    got = mean_weights(torch.tensor([[1.0, 3.0, 2.0, 5.0]]), torch.tensor([[0, 0, 2, -1]]), 3)
    assert got.tolist() == [[0.25, 0.75, 1.0, 0.0]]
