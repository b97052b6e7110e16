"""HoliTom's outer half: windows of time in which much stands still, averaged where it does.

Legend: B videos, N tokens, T frames, S sites of a frame, E = T * S terms.
"""

import torch
from torch import Tensor

from elva.registry import REDUCERS
from elva.structures import VideoTokens

from .base import ReduceContext, TokenReducer
from .density_peaks import frame_peaks
from .selection import absorb, hand_over, highest, mean_weights, signal
from .sites import Sites, similarity
from .static_windows import cut, standing_still


@REDUCERS.register_module()
class HoliTomOuter(TokenReducer):
    """Global, redundancy-aware temporal merging, and a choice among the patches that are left.

    1. The video is cut in windows ``[a, b]`` so that the sum of their gains, ``(b - a)`` times the number of sites
       whose cosine between consecutive frames is above ``tau`` all along, is as high as it can be.
    2. Such static sites become their mean over the window, in its first frame.
    3. So that ``retain`` of all patches are left in the end, the share ``r' = min(retain * total / (total - gain), 1)``
       of those of now is kept: in each frame the ``ceil(L r')`` most attended of its L dynamic patches; of the L static
       ones of a window ``round(L r')`` (at least 1) centres of density peaks, each ``beta`` times itself and
       ``1 - beta`` times the mean of what is nearest to it.

    Much that stands still leaves less than ``retain``: a still video has the patches of a frame. Frames of different
    sizes have windows of their own, and share r'.

    Source: HoliTom: Holistic Token Merging for Fast Video Large Language Models (arXiv 2505.21334), section 3; the
    other half, inside the language model, is the merger ``HoliTomInner``. The published code puts the static tokens of
    a window first and the dynamic ones after them, here all stand in their frames in raster order; it carries r' from
    one video of a batch to the next, and adds noise to densities, which is not done here.

    Args:
        retain: Share of the patches to keep. Default: 0.15.
        tau: Cosine above which a site stands still. The published scripts use 0.8 at ``retain`` 0.15 and 0.65 at 0.10.
            Default: 0.8.
        beta: Weight of a centre in its token. Default: 0.6.
        neighbours: Of the density. Default: 7.
        clustered: Share of the dynamic patches' places that go to centres of density peaks and not to the most
            attended (published: D). Default: 0.0.
        max_window: Frames that a window has at most. Default: 1024.

    Raises:
        ValueError: If a share is not in its range.
    """

    requires = frozenset({"attn"})
    adaptive = True
    identity = ({"retain": 1.0, "tau": 2.0},)

    def __init__(
        self,
        retain: float = 0.15,
        tau: float = 0.8,
        beta: float = 0.6,
        neighbours: int = 7,
        clustered: float = 0.0,
        max_window: int = 1024,
    ) -> None:
        super().__init__()
        for name, value in (("beta", beta), ("clustered", clustered), ("retain", retain)):
            if not 0 <= value <= 1 or (name == "retain" and value == 0):
                raise ValueError(f"HoliTomOuter: {name}={value} is a share: give a number from 0 to 1 (retain above 0)")
        if max_window < 1 or neighbours < 1:
            raise ValueError(f"HoliTomOuter: max_window={max_window}, neighbours={neighbours}: give at least 1 of each")
        self.retain, self.tau, self.beta = retain, tau, beta
        self.neighbours, self.clustered, self.max_window = neighbours, clustered, max_window

    def forward(self, tokens: VideoTokens, context: ReduceContext) -> VideoTokens:
        """Average what stands still, and keep a share of the rest."""
        del context
        signal(self, tokens, "attn")
        sites = Sites.of(tokens)
        alike_BTS = similarity(tokens, sites, sites.earlier(torch.ones_like(sites.stream_BT))) > self.tau
        alike_BTS &= (sites.ordinal_BT > 0)[..., None]
        windows = cut(alike_BTS, sites.stream_BT, self.max_window)
        total_B = sites.there_BTS.sum((1, 2))
        share_B = (self.retain * total_B / (total_B - windows.gain_B).clamp(min=1)).clamp(max=1)
        static_BTS = standing_still(alike_BTS, sites, windows.start_BT)
        into_BN = _into_first_frame(tokens, sites, static_BTS, windows.start_BT)
        first_T = torch.arange(static_BTS.shape[1], device=static_BTS.device)
        kept = static_BTS & (windows.start_BT == first_T)[..., None]
        sites = sites.moved((into_BN == torch.arange(into_BN.shape[1], device=into_BN.device)) & tokens.valid)
        return self._choose(tokens.fold(into_BN), sites, kept, share_B)

    def _choose(self, tokens: VideoTokens, sites: Sites, static_BTS: Tensor, share_B: Tensor) -> VideoTokens:
        """Keep the share of the static and of the dynamic tokens of each frame."""
        dynamic_BTS = sites.there_BTS & ~static_BTS
        budget_BT = (dynamic_BTS.sum(2) * share_B[:, None] - 1e-6).ceil().long()
        attended_BT = (budget_BT * (1 - self.clustered)).round().long()
        attended_BTS = highest(sites.take(signal(self, tokens, "attn")), dynamic_BTS, attended_BT)
        number_BT = static_BTS.sum(2)
        static_BT = (number_BT * share_B[:, None]).round().long().clamp(min=1).minimum(number_BT)
        groups = [(static_BTS, static_BT), (dynamic_BTS & ~attended_BTS, budget_BT - attended_BT)]
        kept_BTS, dst_BTS = attended_BTS, torch.full_like(sites.at_BTS, -1)
        for among_BTS, count_BT in groups[: 2 if self.clustered else 1]:
            centre_BTS, nearest_BTS = frame_peaks(tokens, sites, among_BTS, count_BT, self.neighbours)
            joins_BTS = among_BTS & ~centre_BTS & (count_BT > 0)[..., None]
            dst_BTS = torch.where(joins_BTS, sites.at_BTS.gather(2, nearest_BTS), dst_BTS)
            kept_BTS = kept_BTS | centre_BTS
        return self._join(tokens, sites.stays(kept_BTS, tokens), dst_BTS.flatten(1), sites.at_BTS.flatten(1))

    def _join(self, tokens: VideoTokens, keep_BN: Tensor, dst_BE: Tensor, src_BE: Tensor) -> VideoTokens:
        """A centre is ``beta`` times itself and the rest the mean of those that join it; alone it is itself."""
        length = tokens.x.shape[1]
        weight_BE = (1 - self.beta) * mean_weights(tokens.size.gather(1, src_BE), dst_BE, length)
        given_BN = torch.zeros_like(tokens.size).scatter_add(1, dst_BE.clamp(min=0), weight_BE)
        return absorb(hand_over(tokens, dst_BE, src_BE), keep_BN, 1 - given_BN, dst_BE, src_BE, weight_BE)


def _into_first_frame(tokens: VideoTokens, sites: Sites, static_BTS: Tensor, start_BT: Tensor) -> Tensor:
    """(B, N) long: static patches join the same site of the first frame of their window, others stay."""
    into_BN = torch.arange(tokens.x.shape[1], device=tokens.x.device).repeat(len(tokens.x), 1)
    first_BTS = sites.at_BTS.gather(1, start_BT[..., None].expand_as(sites.at_BTS))
    video = static_BTS.nonzero(as_tuple=True)[0]
    return into_BN.index_put((video, sites.at_BTS[static_BTS]), first_BTS[static_BTS])
