"""Clusters by density peaks, of many groups at once.

Legend: G groups, S tokens of a group, K nearest of them, C channels; B videos, T frames, whose S sites are a group.
"""

import torch
from torch import Tensor

from elva.models.mergers.similarity import most_similar
from elva.structures import VideoTokens

from .sites import Sites


@torch.no_grad()
def density_peaks(x_GSC: Tensor, there_GS: Tensor, count_G: Tensor, neighbours: int) -> tuple[Tensor, Tensor]:
    """Cluster each group by density peaks (DPC-KNN): centres are dense, and far from whatever is denser.

    Density is ``exp(-mean of the squared distances to the nearest)``, itself among them, distances are divided by
    ``sqrt(C)``; a centre has one of the highest ``density * distance to the nearest denser token``. Equal densities
    are ranked by place (published code adds noise to them).

    Args:
        x_GSC: (G, S, C) features.
        there_GS: (G, S) bool, false where a group has fewer.
        count_G: (G,) long, centres of each group.
        neighbours: Tokens that a density is measured on, at most as many as there are centres (as published).

    Returns:
        (G, S) bool, the centres, and (G, S) long, the column of each token's nearest centre.
    """
    place_S = torch.arange(x_GSC.shape[1], device=x_GSC.device)
    distance_GSS = _distances(x_GSC, there_GS)
    measured_G = torch.minimum(count_G, there_GS.sum(1)).clamp(min=1)
    density_GS = _density(distance_GSS.topk(min(neighbours, len(place_S)), dim=2, largest=False).values, measured_G)
    own_GS1, other_G1S = density_GS[:, :, None], density_GS[:, None, :]
    denser_GSS = (other_G1S > own_GS1) | ((other_G1S == own_GS1) & (place_S < place_S[:, None]))
    farthest_G11 = distance_GSS.masked_fill(distance_GSS.isinf(), 0).amax((1, 2), keepdim=True)
    apart_GS = torch.where(denser_GSS, distance_GSS, torch.inf).amin(2)
    score_GS = torch.minimum(apart_GS, farthest_G11[..., 0]) * density_GS
    centre_GS = most_similar(score_GS.masked_fill(~there_GS, -torch.inf), count_G)
    nearest_GS = distance_GSS.masked_fill(~centre_GS[:, None, :], torch.inf).argmin(2)
    return centre_GS, torch.where(centre_GS, place_S, nearest_GS)


def frame_peaks(
    tokens: VideoTokens, sites: Sites, among_BTS: Tensor, count_BT: Tensor, neighbours: int
) -> tuple[Tensor, Tensor]:
    """Cluster some sites of each frame, as :func:`density_peaks` does; frames without a centre cost nothing.

    Args:
        tokens: The tokens.
        sites: Their sites.
        among_BTS: (B, T, S) bool, the sites to cluster.
        count_BT: (B, T) long, centres of each frame, at most as many as it has such sites.
        neighbours: Tokens that a density is measured on.

    Returns:
        (B, T, S) bool, the centres, and (B, T, S) long, the column of each site's nearest centre; 0 where is none.
    """
    video_G, frame_G = count_BT.nonzero(as_tuple=True)
    x_GSC = tokens.x.detach()[video_G[:, None], sites.at_BTS[video_G, frame_G]]
    found = density_peaks(x_GSC, among_BTS[video_G, frame_G], count_BT[video_G, frame_G], neighbours)
    centre_BTS = torch.zeros_like(among_BTS).index_put((video_G, frame_G), found[0])
    return centre_BTS, torch.zeros_like(sites.at_BTS).index_put((video_G, frame_G), found[1])


def _distances(x_GSC: Tensor, there_GS: Tensor) -> Tensor:
    """(G, S, S) distances of pairs, divided by ``sqrt(C)``; infinite where one of the two is not there."""
    x_GSC = x_GSC.float().masked_fill(~there_GS[..., None], 0)
    with torch.autocast(x_GSC.device.type, enabled=False):
        distance_GSS = torch.cdist(x_GSC, x_GSC) / x_GSC.shape[2] ** 0.5
    own_SS = torch.eye(x_GSC.shape[1], dtype=torch.bool, device=x_GSC.device)
    pair_GSS = there_GS[:, :, None] & there_GS[:, None, :]
    return distance_GSS.masked_fill(own_SS, 0).masked_fill(~pair_GSS, torch.inf)  # rounding moves a token off itself


def _density(near_GSK: Tensor, most_G: Tensor) -> Tensor:
    """(G, S) ``exp(-mean)`` of the squared distances (G, S, K), nearest first, to at most ``most_G`` tokens."""
    most_G = most_G.clamp(max=near_GSK.shape[2])
    counted_GSK = torch.arange(near_GSK.shape[2], device=near_GSK.device) < most_G[:, None, None]
    return (-near_GSK.square().masked_fill(~counted_GSK, 0).sum(2) / most_G[:, None]).exp()
