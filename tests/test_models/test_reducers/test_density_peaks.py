import pytest
import torch

from elva.models.reducers.density_peaks import density_peaks, frame_peaks
from elva.models.reducers.sites import Sites
from elva.testing.reducer_contract import draw


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


def test_frames_are_clustered_among_the_sites_given_and_not_without_a_centre():
    tokens = draw([((3, 4), (2, 2), (3, 4)), ((3, 4),)])
    sites = Sites.of(tokens)
    among = sites.there_BTS & (torch.arange(sites.there_BTS.shape[2]) % 4 != 1)
    count = torch.tensor([[3, 0, 2], [1, 0, 0]])
    centre, nearest = frame_peaks(tokens, sites, among, count, neighbours=3)
    assert torch.equal(centre.sum(2), count) and not (centre & ~among).any()
    for video, frame in count.nonzero().tolist():
        x = tokens.x[video, sites.at_BTS[video, frame]][None]
        alone = density_peaks(x, among[video, frame][None], count[video, frame][None], 3)
        assert torch.equal(centre[video, frame], alone[0][0])
        own = among[video, frame]
        assert torch.equal(nearest[video, frame][own], alone[1][0][own])
