"""HoliTom's outer half: windows of time in which much stands still, averaged where it does.

Legend: B videos, N tokens, T frames, S sites of a frame, G groups, E = T * S terms.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from elva.registry import REDUCERS
from elva.structures import VideoTokens

from .base import ReduceContext, TokenReducer
from .selection import Sites, absorb, density_peaks, hand_over, highest, mean_weights, signal, similarity


class Windows(NamedTuple):
    """How videos are cut in windows.

    Attributes:
        start_BT: (B, T) long, the first frame of the window that each frame is in.
        gain_B: (B,) float64, the patches that go if what stands still in a window becomes one frame.
    """

    start_BT: Tensor
    gain_B: Tensor


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
            centre_BTS, nearest_BTS = self._cluster(tokens, sites, among_BTS, count_BT)
            joins_BTS = among_BTS & ~centre_BTS & (count_BT > 0)[..., None]
            dst_BTS = torch.where(joins_BTS, sites.at_BTS.gather(2, nearest_BTS), dst_BTS)
            kept_BTS = kept_BTS | centre_BTS
        return self._join(tokens, sites.stays(kept_BTS, tokens), dst_BTS.flatten(1), sites.at_BTS.flatten(1))

    def _cluster(self, tokens: VideoTokens, sites: Sites, among_BTS: Tensor, count_BT: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, S) bool, centres, and (B, T, S) long, the column of the nearest centre, of the frames with any."""
        video_G, frame_G = among_BTS.any(2).nonzero(as_tuple=True)
        at_GS = sites.at_BTS[video_G, frame_G]
        there_GS = among_BTS[video_G, frame_G]
        x_GSC = tokens.x.detach()[video_G[:, None], at_GS]
        centre_GS, nearest_GS = density_peaks(x_GSC, there_GS, count_BT[video_G, frame_G], self.neighbours)
        centre_BTS = torch.zeros_like(among_BTS).index_put((video_G, frame_G), centre_GS)
        return centre_BTS, torch.zeros_like(sites.at_BTS).index_put((video_G, frame_G), nearest_GS)

    def _join(self, tokens: VideoTokens, keep_BN: Tensor, dst_BE: Tensor, src_BE: Tensor) -> VideoTokens:
        """A centre is ``beta`` times itself and the rest the mean of those that join it; alone it is itself."""
        length = tokens.x.shape[1]
        weight_BE = (1 - self.beta) * mean_weights(tokens.size.gather(1, src_BE), dst_BE, length)
        given_BN = torch.zeros_like(tokens.size).scatter_add(1, dst_BE.clamp(min=0), weight_BE)
        return absorb(hand_over(tokens, dst_BE, src_BE), keep_BN, 1 - given_BN, dst_BE, src_BE, weight_BE)


def cut(alike_BTS: Tensor, stream_BT: Tensor, max_window: int) -> Windows:
    """Windows of the highest gain, for the frames of each stream (size of frame) of each video.

    The search is a loop over frames on numbers that are small: they are brought to the CPU once.

    Args:
        alike_BTS: (B, T, S) bool, whether a site is like that of the frame before in the stream.
        stream_BT: (B, T) long; -1 for none.
        max_window: Frames of a window at most.
    """
    together = torch.cat((stream_BT[..., None], alike_BTS.long()), 2).cpu().numpy()
    start_BT = np.tile(np.arange(together.shape[1]), (len(together), 1))
    gain_B = np.zeros(len(together))
    for video, (stream_T, alike_TS) in enumerate(zip(together[..., 0], together[..., 1:] > 0, strict=True)):
        for stream in np.unique(stream_T[stream_T >= 0]):
            frame_F = np.nonzero(stream_T == stream)[0]
            start_F, gain = best_windows(alike_TS[frame_F], max_window)
            start_BT[video, frame_F] = frame_F[start_F]
            gain_B[video] += gain
    device = alike_BTS.device
    return Windows(torch.from_numpy(start_BT).to(device), torch.from_numpy(gain_B).to(device))


def best_windows(alike_TS: np.ndarray, max_window: int) -> tuple[np.ndarray, int]:
    """(T,) the first frame of the window of each frame, and the sum of the gains; of equals the shortest last window.

    Args:
        alike_TS: (T, S) bool, whether a site is like that of the frame before; the first row is not looked at.
        max_window: Frames of a window at most.
    """
    frames, sites = alike_TS.shape
    time_T1 = np.arange(frames)[:, None]
    since_TS = np.maximum.accumulate(np.where(alike_TS, 0, time_T1), axis=0)  # still from there to here
    counts_TT = np.zeros((frames, frames), dtype=np.int64)
    np.add.at(counts_TT, (np.repeat(time_T1, sites, 1), since_TS), 1)
    gain_TT = counts_TT.cumsum(1) * (time_T1 - time_T1.T)  # [b, a]
    best, first = np.zeros(frames + 1, dtype=np.int64), np.zeros(frames, dtype=np.int64)
    for b in range(frames):
        low = max(0, b + 1 - max_window)
        value = (best[low : b + 1] + gain_TT[b, low : b + 1])[::-1]
        first[b] = b - value.argmax()
        best[b + 1] = value.max()
    start, b = np.zeros(frames, dtype=np.int64), frames - 1
    while b >= 0:
        start[first[b] : b + 1] = first[b]
        b = first[b] - 1
    return start, int(best[-1])


def standing_still(alike_BTS: Tensor, sites: Sites, start_BT: Tensor) -> Tensor:
    """(B, T, S) bool: sites that stand still through the whole window of their frame, which has several frames."""
    start_BTS = start_BT[..., None].expand_as(alike_BTS)
    first_BT = start_BT == torch.arange(start_BT.shape[1], device=start_BT.device)
    moves_BTS = (~alike_BTS & ~first_BT[..., None]).long()
    moved_BTS = torch.zeros_like(moves_BTS).scatter_add(1, start_BTS, moves_BTS)
    frames_BT = torch.zeros_like(start_BT).scatter_add(1, start_BT, torch.ones_like(start_BT))
    return sites.there_BTS & (moved_BTS == 0).gather(1, start_BTS) & (frames_BT > 1).gather(1, start_BT)[..., None]


def _into_first_frame(tokens: VideoTokens, sites: Sites, static_BTS: Tensor, start_BT: Tensor) -> Tensor:
    """(B, N) long: static patches join the same site of the first frame of their window, others stay."""
    into_BN = torch.arange(tokens.x.shape[1], device=tokens.x.device).repeat(len(tokens.x), 1)
    first_BTS = sites.at_BTS.gather(1, start_BT[..., None].expand_as(sites.at_BTS))
    video = static_BTS.nonzero(as_tuple=True)[0]
    return into_BN.index_put((video, sites.at_BTS[static_BTS]), first_BTS[static_BTS])
