"""A video cut where its frames differ most.

Legend: B videos, T frames, C channels.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .sites import same_stream


@torch.no_grad()
def same_segment(frame_BTC: Tensor, stream_BT: Tensor, least: int, tau: float) -> Tensor:
    """Cut each stream at its ``least - 1`` least similar transitions, and wherever the cosine is below ``tau``.

    Args:
        frame_BTC: (B, T, C) a feature of each frame.
        stream_BT: (B, T) long; only frames of the same value are compared, and -1 is no frame.
        least: Least number of segments, as far as there are frames.
        tau: Cosine below which there is a cut.

    Returns:
        (B, T, T) bool: whether two frames are in one segment.
    """
    same_BTT = same_stream(stream_BT)
    number_T = torch.arange(stream_BT.shape[1], device=stream_BT.device)
    before_BT = torch.where(same_BTT.tril(-1), number_T, -1).amax(2)
    at_BTC = before_BT.clamp(min=0)[..., None].expand_as(frame_BTC)
    alike_BT = F.cosine_similarity(frame_BTC, frame_BTC.gather(1, at_BTC), dim=-1).masked_fill(before_BT < 0, torch.inf)
    lower_BTT = alike_BT[:, None, :] < alike_BT[:, :, None]
    tied_BTT = (alike_BT[:, None, :] == alike_BT[:, :, None]) & (number_T < number_T[:, None])
    place_BT = (same_BTT & (lower_BTT | tied_BTT)).sum(2)
    cut_BT = (before_BT >= 0) & ((place_BT < least - 1) | (alike_BT < tau))
    segment_BT = (same_BTT.tril() & cut_BT[:, None, :]).sum(2)
    return same_BTT & (segment_BT[:, :, None] == segment_BT[:, None, :])
