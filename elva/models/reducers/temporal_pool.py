"""Successive frames averaged.

Legend: B videos, N tokens.
"""

import torch

from elva.registry import REDUCERS
from elva.structures import VideoTokens

from .base import ReduceContext, TokenReducer
from .grid import frame_in_grid, join_first


@REDUCERS.register_module()
class TemporalPool(TokenReducer):
    """Averages ``k`` successive frames at the same place, the mean weighted by size.

    Frames of one grid are pooled among themselves, whatever frames of other grids stand between them. The last window
    may be shorter. A pooled token stands where that of the first frame of its window stood; the ``FRAME`` tokens of
    all frames stay.

    Source: average pooling has no single origin; the fast path of the Slow-Fast Architecture (arXiv 2504.01328) is one
    that averages 4 or 6 frames.

    Args:
        k: Frames a window. Default: 2.

    Raises:
        ValueError: If ``k`` is less than 1.
    """

    identity = ({"k": 1},)

    def __init__(self, k: int = 2) -> None:
        super().__init__()
        if k < 1:
            raise ValueError(f"TemporalPool: k={k} is how many frames become one: give 1 or more")
        self.k = k

    def forward(self, tokens: VideoTokens, context: ReduceContext) -> VideoTokens:
        """Tokens of ``ceil(T / k)`` frames for every T frames of one grid."""
        del context
        if self.k == 1:
            return tokens
        number_BN, _ = frame_in_grid(tokens)
        window_BN = number_BN.div(self.k, rounding_mode="floor")
        key_BN = window_BN * (tokens.slot.max() + 1) + tokens.slot
        return tokens.fold(join_first(torch.where(tokens.reducible, key_BN, -1)))
