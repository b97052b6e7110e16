"""Moving the rows that stay to the front, and averaging rows into others: what both carriers do to all their fields.

Legend: B samples, L rows, M rows afterwards, C channels.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Packing(NamedTuple):
    """How the rows that stay move to the front of each sample.

    Attributes:
        new_BL: (B, L) long, where each row goes; -1 if it does not stay.
        old_BM: (B, M) long, where each row comes from; 0 on padding.
        valid_BM: (B, M) bool.
        rows: Valid rows before, over all samples.
        padded: Whether there is padding afterwards.
    """

    new_BL: Tensor
    old_BM: Tensor
    valid_BM: Tensor
    rows: int
    padded: bool

    @classmethod
    def of(cls, stays_BL: Tensor, valid_BL: Tensor) -> "Packing | None":
        """The packing that keeps ``stays_BL``, a part of ``valid_BL``; None if that is all of it."""
        count_B = stays_BL.sum(1)
        numbers = torch.stack((count_B.max(), count_B.min(), count_B.sum(), valid_BL.sum()))
        most, least, stay, rows = numbers.tolist()  # one synchronisation
        if stay == rows:
            return None
        new_BL = (stays_BL.cumsum(1) - 1).masked_fill(~stays_BL, -1)
        old_BM = new_BL.new_zeros(len(new_BL), most + 1)
        rows_BL = torch.arange(new_BL.shape[1], device=new_BL.device).expand_as(new_BL)
        old_BM = old_BM.scatter_(1, new_BL.masked_fill(~stays_BL, most), rows_BL)[:, :most]
        valid_BM = torch.arange(most, device=new_BL.device) < count_B[:, None]
        return cls(new_BL, old_BM.masked_fill(~valid_BM, 0), valid_BM, rows, least != most)

    def take(self, x: Tensor) -> Tensor:
        """(B, M, ...) the rows that stay, of ``x`` (B, L, ...); padding is a copy of some row."""
        first_B1 = torch.arange(len(x), device=x.device)[:, None] * x.shape[1]
        return x.flatten(0, 1).index_select(0, (self.old_BM + first_B1).flatten()).unflatten(0, self.old_BM.shape)


def weighted_sum(h_BLC: Tensor, dst_BL: Tensor, share_BL: Tensor, packing: Packing) -> Tensor:
    """(B, M, C) the sum of the rows of each destination, weighted by their shares, in float32.

    An embedding bag reads every row once and writes every sum once, without a copy of ``h`` in between.
    """
    batch, most = packing.old_BM.shape
    first_B1 = torch.arange(batch, device=dst_BL.device)[:, None] * most
    bag_N = torch.where(dst_BL >= 0, dst_BL + first_B1, batch * most).flatten()
    bag_N, row_N = bag_N.sort(stable=True)  # stable: the members of a row are added in their own order
    row_N = row_N[: packing.rows]  # padding, which goes nowhere, stands last
    return _bags(h_BLC, row_N, bag_N, share_BL.flatten()[row_N], most)


def weighted_terms(h_BLC: Tensor, dst_BE: Tensor, src_BE: Tensor, weight_BE: Tensor, most: int) -> Tensor:
    """(B, ``most``, C) the sum of the terms of each destination, in float32; a row may be in any number of terms.

    Args:
        h_BLC: (B, L, C).
        dst_BE: (B, E) long, where each term goes; -1 for nowhere.
        src_BE: (B, E) long, the row that it takes.
        weight_BE: (B, E) float, its weight.
        most: Rows afterwards.
    """
    sample_E, term_E = (dst_BE >= 0).nonzero(as_tuple=True)
    bag_E, order_E = (sample_E * most + dst_BE[sample_E, term_E]).sort(stable=True)
    sample_E, term_E = sample_E[order_E], term_E[order_E]
    row_E = sample_E * h_BLC.shape[1] + src_BE[sample_E, term_E]
    return _bags(h_BLC, row_E, bag_E, weight_BE[sample_E, term_E], most)


def _bags(h_BLC: Tensor, row_E: Tensor, bag_E: Tensor, weight_E: Tensor, most: int) -> Tensor:
    """(B, ``most``, C) the sums of the rows of each bag; ``bag_E``, sorted, may be longer than ``row_E``."""
    batch = len(h_BLC)
    h = h_BLC.flatten(0, 1).to(torch.promote_types(h_BLC.dtype, torch.float32))
    sums = F.embedding_bag(
        row_E,
        h,
        offsets=torch.searchsorted(bag_E, torch.arange(batch * most, device=bag_E.device)),
        mode="sum",
        per_sample_weights=weight_E.to(h.dtype),
    )
    return sums.to(h_BLC.dtype).unflatten(0, (batch, most))


def size_shares(size_BL: Tensor, into_BL: Tensor) -> tuple[Tensor, Tensor]:
    """(B, L) sizes added up if row ``l`` joins row ``into_BL[b, l]``; (B, L) each row's share of the sum it is in."""
    total_BL = torch.zeros_like(size_BL).scatter_add_(1, into_BL, size_BL)
    return total_BL, size_BL / total_BL.gather(1, into_BL).clamp(min=torch.finfo(size_BL.dtype).tiny)


def spread(frame_BL: Tensor, into_BL: Tensor) -> Tensor:
    """(B, L) the frame of each row if row ``l`` joins row ``into_BL[b, l]``; -1 where several frames meet."""
    low_BL = frame_BL.scatter_reduce(1, into_BL, frame_BL, "amin")
    high_BL = frame_BL.scatter_reduce(1, into_BL, frame_BL, "amax")
    return torch.where(low_BL == high_BL, frame_BL, -1)
