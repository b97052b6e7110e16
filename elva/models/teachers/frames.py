"""Frames in the shape that teachers take."""

import torch.nn.functional as F
from torch import Tensor


def resize_frames(frames: Tensor, side: int) -> Tensor:
    """Frames (..., 3, H, W) from 0 to 1 as (..., 3, side, side), bicubic with antialiasing; aspect is not kept.

    A teacher's map is then stretched as its frames are, so a place has the same relative coordinates in both.
    """
    if frames.shape[-2:] == (side, side):
        return frames
    lead = frames.shape[:-3]
    resized = F.interpolate(
        frames.reshape(-1, *frames.shape[-3:]).float(), (side, side), mode="bicubic", antialias=True
    )
    return resized.clamp(0, 1).reshape(*lead, *resized.shape[1:])
