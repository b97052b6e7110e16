import pytest
import torch

from elva.models.reducers.selection import Sites, absorb, density_peaks, hand_over, mean_weights, similarity
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


def peaks_one_by_one(x, count, neighbours):
    """Density peaks of one group, written out."""
    distance = [[float((a - b).norm()) / len(a) ** 0.5 for b in x] for a in x]
    k = min(neighbours, count, len(x))
    density = [torch.tensor([-sum(d * d for d in sorted(row)[:k]) / k]).exp().item() for row in distance]
    score = []
    for i, own in enumerate(density):
        denser = [j for j, other in enumerate(density) if other > own or (other == own and j < i)]
        score.append(own * min([distance[i][j] for j in denser], default=max(max(row) for row in distance)))
    centres = sorted(range(len(x)), key=lambda i: -score[i])[:count]
    nearest = [i if i in centres else min(centres, key=lambda c: distance[i][c]) for i in range(len(x))]
    return sorted(centres), nearest


@pytest.mark.parametrize("seed", range(4))
def test_density_peaks_of_groups_of_different_sizes(seed):
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(3, 9, 5, generator=random)
    there = torch.arange(9) < torch.tensor([[9], [6], [3]])
    count = torch.tensor([3, 2, 3])
    centre, nearest = density_peaks(x, there, count, neighbours=4)
    for group in range(3):
        members = int(there[group].sum())
        expected = peaks_one_by_one(x[group, :members], int(count[group]), 4)
        got = centre[group].nonzero()[:, 0].tolist(), nearest[group, :members].tolist()
        assert got == (expected[0], expected[1])


def test_points_in_clusters_have_a_centre_in_each():
    random = torch.Generator().manual_seed(0)
    middle = torch.eye(3).repeat_interleave(4, 0) * 5
    centre, nearest = density_peaks(
        (middle + 0.1 * torch.randn(12, 3, generator=random))[None], torch.ones(1, 12, dtype=torch.bool),
        torch.tensor([3]), neighbours=7,
    )  # fmt: skip
    assert (centre[0].nonzero()[:, 0] // 4).tolist() == [0, 1, 2]
    assert torch.equal(nearest[0] // 4, torch.arange(12) // 4)
