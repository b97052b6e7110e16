"""FastVID: segments in which little changes, and in them the most attended patches and the density peaks.

Legend: B videos, N tokens, T frames, S sites of a frame, K anchors, R tokens of a segment, E terms, C channels.
"""

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from elva.registry import REDUCERS
from elva.structures import VideoTokens

from .base import ReduceContext, TokenReducer
from .density_peaks import frame_peaks
from .segments import same_segment
from .selection import absorb, highest, mean_weights, signal
from .sites import Sites


@REDUCERS.register_module()
class FastVID(TokenReducer):
    r"""Dynamic temporal segmentation, then density spatiotemporal pruning inside each segment.

    1. The video is cut at the ``segments - 1`` least similar transitions between frames, and wherever the similarity is
       below ``tau``.
    2. Of each frame of N patches, n = floor(``retain`` N) are to be kept; the n - floor(``context`` n) most attended
       are kept as they are.
    3. The last frame of a segment of L frames, and every ``stride``-th one before it, is an anchor frame. The other
       places of the segment, L floor(``context`` n), are shared out among its ceil(L / ``stride``) anchor frames: so
       many density peaks of the remaining patches of an anchor frame are anchors.
    4. All remaining patches of the segment join the anchor of each anchor frame that they are most similar to:
       :math:`\beta a + (1 - \beta) \cdot` mean of those that join (the anchor among them).

    Frames of different grids are segmented and pruned by themselves. A patch hands its size and attention in equal
    parts to the anchors that it joins, so that sizes add up. An anchor keeps its place, and spans frames if its segment
    does. ``LINE`` and ``FRAME`` tokens stay.

    Source: FastVID: Dynamic Density Pruning for Fast Video Large Language Models (arXiv 2503.11187), sections 3.2 and
    3.3, and its public code. Chosen here: a frame is compared by the mean of its patches (published: the vision
    encoder's pooled output), the mean of those that join is weighted by size, equal densities are ranked by place
    (published: by added noise), a frame has one token at least, and no more anchors than patches are left.

    Args:
        retain: Share of the patches to keep; 1 changes nothing. Default: 0.1.
        segments: Least number of segments (published: c). Default: 8.
        tau: Cosine of two frames below which there is a cut. Default: 0.9.
        context: Share of the kept places that go to anchors (published: d). Default: 0.4.
        stride: Frames from one anchor frame to the next (published: p). Default: 4.
        beta: Weight of an anchor in its token. Default: 0.6.
        neighbours: Tokens that a density is measured on. Default: 4.

    Raises:
        ValueError: If a share is not in its range, or a number is less than 1.
    """

    requires = frozenset({"attn"})
    adaptive = True
    identity = ({"retain": 1.0},)

    def __init__(
        self,
        retain: float = 0.1,
        segments: int = 8,
        tau: float = 0.9,
        context: float = 0.4,
        stride: int = 4,
        beta: float = 0.6,
        neighbours: int = 4,
    ) -> None:
        super().__init__()
        for name, share in (("retain", retain), ("context", context), ("beta", beta)):
            if not 0 <= share <= 1 or (name == "retain" and share == 0):
                raise ValueError(f"FastVID: {name}={share} is a share: give a number from 0 to 1 (retain above 0)")
        if min(segments, stride, neighbours) < 1:
            raise ValueError(
                f"FastVID: segments={segments}, stride={stride}, neighbours={neighbours}: give at least 1 of each"
            )
        self.retain, self.context, self.beta = retain, context, beta
        self.segments, self.tau, self.stride, self.neighbours = segments, tau, stride, neighbours

    def forward(self, tokens: VideoTokens, context: ReduceContext) -> VideoTokens:
        """About ``retain`` of the patches, some of them averages."""
        del context
        attn_BN = signal(self, tokens, "attn")
        if self.retain == 1:
            return tokens
        sites = Sites.of(tokens)
        together_BTT = same_segment(_frame_means(tokens, sites), sites.stream_BT, self.segments, self.tau)
        attended_BT, anchors_BT = self._budget(sites.there_BTS.sum(2), together_BTT)
        attended_BTS = highest(sites.take(attn_BN), sites.there_BTS, attended_BT)
        rest_BTS = sites.there_BTS & ~attended_BTS
        anchor_BTS, _ = frame_peaks(tokens, sites, rest_BTS, anchors_BT, self.neighbours)
        dst_BE, src_BE = _joins(tokens, sites, rest_BTS, anchor_BTS, together_BTT)
        keep_BN = sites.stays(attended_BTS | anchor_BTS, tokens)
        anchor_BN = sites.mark(anchor_BTS, tokens)
        shared = _share_out(tokens, anchor_BN, dst_BE, src_BE)
        weight_BE = (1 - self.beta) * mean_weights(tokens.size.gather(1, src_BE), dst_BE, tokens.x.shape[1])
        own_BN = torch.where(anchor_BN, self.beta, 1.0)
        return absorb(shared, keep_BN, own_BN, dst_BE, src_BE, weight_BE)

    def _budget(self, patches_BT: Tensor, together_BTT: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T) long: patches of each frame that are kept for their attention, and anchors of each frame."""
        keep_BT = (self.retain * patches_BT.double() + 1e-6).long().clamp(min=1).minimum(patches_BT)
        context_BT = (self.context * keep_BT.double() + 1e-6).long()
        length_BT, later_BT = together_BTT.sum(2), together_BTT.triu(1).sum(2)
        frames_BT = (length_BT + self.stride - 1).div(self.stride, rounding_mode="floor").clamp(min=1)
        each_BT = (context_BT * length_BT).div(frames_BT, rounding_mode="floor")
        each_BT = each_BT.minimum(patches_BT - keep_BT + context_BT).masked_fill(later_BT % self.stride != 0, 0)
        return keep_BT - context_BT, each_BT


@torch.no_grad()
def _frame_means(tokens: VideoTokens, sites: Sites) -> Tensor:
    """(B, T, C) float32: the mean of the patches of each frame."""
    x_BTSC = sites.take(tokens.x).float().masked_fill(~sites.there_BTS[..., None], 0)
    return x_BTSC.sum(2) / sites.there_BTS.sum(2).clamp(min=1)[..., None]


@torch.no_grad()
def _joins(
    tokens: VideoTokens, sites: Sites, rest_BTS: Tensor, anchor_BTS: Tensor, together_BTT: Tensor
) -> tuple[Tensor, Tensor]:
    """(B, E) long, anchors, -1 for none; and (B, E) long, the tokens that join them: once for each anchor frame."""
    unit_BNC = F.normalize(tokens.x.float(), dim=-1)
    none = sites.at_BTS.new_zeros(0)
    dst, src = [[none] for _ in tokens.x], [[none] for _ in tokens.x]
    for video, frame in anchor_BTS.any(2).nonzero().tolist():
        anchor_K = sites.at_BTS[video, frame][anchor_BTS[video, frame]]
        member_R = sites.at_BTS[video][rest_BTS[video] & together_BTT[video, frame][:, None]]
        with torch.autocast(unit_BNC.device.type, enabled=False):
            nearest_R = (unit_BNC[video, member_R] @ unit_BNC[video, anchor_K].T).argmax(1)
        dst[video].append(anchor_K[nearest_R])
        src[video].append(member_R)
    dst_BE = pad_sequence([torch.cat(parts) for parts in dst], batch_first=True, padding_value=-1)
    return dst_BE, pad_sequence([torch.cat(parts) for parts in src], batch_first=True)


def _share_out(tokens: VideoTokens, anchor_BN: Tensor, dst_BE: Tensor, src_BE: Tensor) -> VideoTokens:
    """The tokens, with what each hands in equal parts to its anchors added up there; anchors may span frames now."""
    length, in_BE = tokens.x.shape[1], (dst_BE >= 0).to(tokens.size)
    joins_BN = torch.zeros_like(tokens.size).scatter_add(1, src_BE, in_BE).clamp(min=1)
    at_BE = torch.where(dst_BE >= 0, dst_BE, length)

    def collect(values_BN: Tensor) -> Tensor:
        given_BE = (values_BN / joins_BN).gather(1, src_BE)
        sum_BN = F.pad(torch.zeros_like(values_BN), (0, 1)).scatter_add(1, at_BE, given_BE)[:, :-1]
        return torch.where(anchor_BN, sum_BN, values_BN)

    other_BE = tokens.frame.gather(1, src_BE) != tokens.frame.gather(1, dst_BE.clamp(min=0))
    spans_BN = F.pad(torch.zeros_like(tokens.frame), (0, 1)).scatter_add(1, at_BE, other_BE.long())[:, :-1] > 0
    return tokens.replace(
        size=collect(tokens.size),
        attn=None if tokens.attn is None else collect(tokens.attn),
        frame=tokens.frame.masked_fill(spans_BN, -1),
    )
