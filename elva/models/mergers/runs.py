"""Pairs of successive rows at the same place, and the runs that linked pairs make.

Legend: B batch, L rows, N rows of the whole batch, R rows of a block, C channels.
"""

import torch
from torch import Tensor

from elva.structures import SequenceState

from .similarity import Metric

_BLOCK = 2**19
"""Numbers that a core compares at a time: 2 MB of float32 stay in its cache, and memory does not grow with the clip."""


def successive_pairs(state: SequenceState, unit: Metric) -> tuple[Tensor, Tensor]:
    """Sort the rows place by place, time within a place, and compare each with the one before.

    Returns:
        (B, L) long, the row at each sorted position; and (B, L) float32, the cosine between the row at that position
        and the one before it, minus infinity where that is not the same place.
    """
    nowhere = torch.iinfo(torch.long).max
    sorted_BL, order_BL = state.slot.masked_fill(~state.mergeable, nowhere).sort(dim=1, stable=True)
    same_BL = torch.zeros_like(state.valid)
    same_BL[:, 1:] = (sorted_BL[:, 1:] == sorted_BL[:, :-1]) & (sorted_BL[:, 1:] != nowhere)
    first_B1 = torch.arange(len(order_BL), device=order_BL.device)[:, None] * order_BL.shape[1]
    cosine_N = successive_cosines((order_BL + first_B1).flatten(), unit, state.h.shape[2])
    return order_BL, cosine_N.view_as(same_BL).masked_fill(~same_BL, float("-inf"))


def successive_cosines(rows_N: Tensor, unit: Metric, channels: int) -> Tensor:
    """(N,) float32: the cosine between each of the rows and the one before it; 0 for the first."""
    block = _block(rows_N, channels)
    found = [torch.zeros(1, device=rows_N.device)]
    for start in range(1, len(rows_N), block):
        x_RC = unit(rows_N[start - 1 : start + block])
        found.append((x_RC[1:] * x_RC[:-1]).sum(-1))
    return torch.cat(found)


def cosines(rows_N: Tensor, others_N: Tensor, unit: Metric, channels: int) -> Tensor:
    """(N,) float32: the cosine between each of the rows and the other of its pair."""
    block = _block(rows_N, channels)
    pairs = zip(rows_N.split(block), others_N.split(block), strict=True)
    return torch.cat([(unit(rows_R) * unit(others_R)).sum(-1) for rows_R, others_R in pairs])


def run_heads(order_BL: Tensor, link_BL: Tensor) -> Tensor:
    """(B, L) long: the row that each row joins, if every linked sorted position joins the one before it."""
    position_BL = torch.arange(order_BL.shape[1], device=order_BL.device).expand_as(order_BL)
    head_BL = torch.where(link_BL, 0, position_BL).cummax(dim=1).values
    return torch.empty_like(order_BL).scatter_(1, order_BL, order_BL.gather(1, head_BL))


def _block(rows_N: Tensor, channels: int) -> int:
    workers = torch.get_num_threads() if rows_N.device.type == "cpu" else 32
    return max(1, _BLOCK * workers // channels)
