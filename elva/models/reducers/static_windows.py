"""Windows of time in which sites stand still: the search of HoliTom (arXiv 2505.21334, section 3).

Legend: B videos, T frames, S sites of a frame, F frames of a stream.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .sites import Sites


class Windows(NamedTuple):
    """How videos are cut in windows.

    Attributes:
        start_BT: (B, T) long, the first frame of the window that each frame is in.
        gain_B: (B,) float64, the patches that go if what stands still in a window becomes one frame.
    """

    start_BT: Tensor
    gain_B: Tensor


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
