"""Resizing decoded frames. Legend: T frames, H rows, W columns."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate


def resize_frames(frames_THWC: np.ndarray, size: tuple[int, int]) -> Tensor:
    """Return ``frames_THWC`` at ``size``, channels before rows.

    Bilinear with antialiasing, on the bytes themselves: on a CPU torch's is three to four times as fast as OpenCV's
    ``INTER_AREA`` and closer to the result in floating point.

    Args:
        frames_THWC: uint8 RGB.
        size: Height and width in pixels. Frames that have them already are not copied.

    Returns:
        uint8 (T, 3, H, W), with the channels last in memory.
    """
    frames_TCHW = torch.from_numpy(frames_THWC).permute(0, 3, 1, 2)
    if tuple(frames_TCHW.shape[2:]) == tuple(size):
        return frames_TCHW
    return interpolate(frames_TCHW, size=tuple(size), mode="bilinear", antialias=True)
