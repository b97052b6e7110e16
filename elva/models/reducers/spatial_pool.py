"""Neighbouring patches averaged.

Legend: B videos, N tokens.
"""

import torch
from torch import Tensor

from elva.registry import REDUCERS
from elva.structures import Kind, VideoTokens

from .base import ReduceContext, TokenReducer
from .grid import frame_number, join_first, regrid


@REDUCERS.register_module()
class SpatialPool(TokenReducer):
    """Averages ``k`` x ``k`` neighbouring patches of each frame, the mean weighted by size.

    On a grid that ``k`` does not divide, the cells at the right and lower edge are averages of what is there
    (``ceil_mode`` of ``torch.nn.AvgPool2d``, without padding in the mean). The ``LINE`` tokens of rows that become one
    become one as well, unless they have no slot; ``FRAME`` tokens stay. Tokens describe themselves in the new grid.

    Source: 2 x 2 pooling as in LLaVA-NeXT-Video and Slow-Fast-LLaVA (arXiv 2407.15841); it has no single origin.

    Args:
        k: Side of the square that becomes one, in patches. Default: 2.

    Raises:
        ValueError: If ``k`` is less than 1.
    """

    needs_grid = True
    keeps_grid = True
    causal = True
    identity = ({"k": 1},)

    def __init__(self, k: int = 2) -> None:
        super().__init__()
        if k < 1:
            raise ValueError(f"SpatialPool: k={k} is the side of the square that becomes one: give 1 or more")
        self.k = k

    def forward(self, tokens: VideoTokens, context: ReduceContext) -> VideoTokens:
        """Tokens of a grid of ``ceil(h / k)`` x ``ceil(w / k)`` for every frame of h x w."""
        del context
        return tokens if self.k == 1 else pool_cells(tokens, torch.full_like(tokens.frame, self.k))


def pool_cells(tokens: VideoTokens, side_BN: Tensor) -> VideoTokens:
    """Average squares of ``side_BN`` cells, (B, N) long: one side for all the tokens of a grid."""
    side_BN1 = side_BN[..., None]
    grid_BN2 = (tokens.grid + side_BN1 - 1).div(side_BN1, rounding_mode="floor")
    cell_BN2 = tokens.cell.div(side_BN1, rounding_mode="floor")
    behind_BN = torch.where(tokens.kind == Kind.LINE, grid_BN2[..., 1], cell_BN2[..., 1])
    coarse = regrid(tokens, grid_BN2, torch.stack((cell_BN2[..., 0], behind_BN), 2))
    key_BN = frame_number(coarse) * (coarse.slot.max() + 1) + coarse.slot
    return coarse.fold(join_first(torch.where(coarse.reducible, key_BN, -1)))
