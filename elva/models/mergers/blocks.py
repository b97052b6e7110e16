"""Blocks of patches within a frame that are alike.

Legend: B batch, L rows (in order of their blocks where a name says so), N rows of the whole batch.
"""

import torch
from torch import Tensor

from elva.structures import Kind, SequenceState

from .runs import cosines
from .similarity import Metric

_BITS = 20
"""Of the number of a block row, and of a block column; the frame's stands above them."""


def alike_blocks(state: SequenceState, unit: Metric, side: int, tau: float, most_B: Tensor) -> Tensor:
    """(B, L) long: the row that each row joins, if blocks of ``side`` x ``side`` patches that are alike become one row.

    A block is as alike as its least: the lowest cosine of its first patch, at the top left, with any other. Those of at
    least ``tau`` merge into their first patch, whole, the most alike first, as long as ``most_B`` rows suffice. Blocks
    at the right and lower edge of a grid may be smaller.

    Args:
        state: Its rows have cells.
        unit: Gives the unit vectors of rows, see :func:`~elva.models.mergers.similarity.metric`.
        side: Of the blocks, in patches.
        tau: Similarity from which blocks merge.
        most_B: (B,) long, how many rows may go.
    """
    order_BL, same_BL = _in_blocks(state, side)
    place_BL = torch.arange(order_BL.shape[1], device=order_BL.device).expand_as(order_BL)
    head_BL = torch.where(same_BL, 0, place_BL).cummax(1).values
    first_BL = order_BL.gather(1, head_BL)
    sample_B1 = torch.arange(len(order_BL), device=order_BL.device)[:, None] * order_BL.shape[1]
    cosine_N = cosines((order_BL + sample_B1).flatten(), (first_BL + sample_B1).flatten(), unit, state.h.shape[2])
    cosine_BL = cosine_N.view_as(same_BL).masked_fill(~same_BL, float("inf"))
    least_BL = torch.full_like(cosine_BL, float("inf")).scatter_reduce(1, head_BL, cosine_BL, "amin")
    others_BL = torch.zeros_like(order_BL).scatter_add_(1, head_BL, same_BL.long())  # in the block that starts here
    others_BL = others_BL.masked_fill(least_BL < tau, 0)
    by_least_BL = least_BL.masked_fill(others_BL == 0, float("-inf")).argsort(dim=1, descending=True, stable=True)
    fits_BL = others_BL.gather(1, by_least_BL).cumsum(1) <= most_B[:, None]
    merges_BL = torch.zeros_like(same_BL).scatter_(1, by_least_BL, fits_BL) & (others_BL > 0)
    joins_BL = same_BL & merges_BL.gather(1, head_BL)
    return torch.empty_like(order_BL).scatter_(1, order_BL, torch.where(joins_BL, first_BL, order_BL))


def _in_blocks(state: SequenceState, side: int) -> tuple[Tensor, Tensor]:
    """(B, L) long, the rows block by block, in raster order; (B, L) bool, whether the row before is of its block."""
    assert state.cell is not None
    takes_part_BL = state.mergeable & (state.kind == Kind.PATCH) & (state.frame >= 0)
    row_BL, column_BL = (state.cell // side).unbind(-1)
    nowhere = torch.iinfo(torch.long).max
    block_BL = (((state.frame << _BITS) + row_BL) << _BITS) + column_BL
    sorted_BL, order_BL = block_BL.masked_fill(~takes_part_BL, nowhere).sort(dim=1, stable=True)
    same_BL = torch.zeros_like(state.valid)
    same_BL[:, 1:] = (sorted_BL[:, 1:] == sorted_BL[:, :-1]) & (sorted_BL[:, 1:] != nowhere)
    return order_BL, same_BL
