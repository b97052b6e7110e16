"""The sequence inside the language model, text rows included, and the two verbs that mergers are written in.

Legend: B samples, L rows (padded on the right), M rows after a merge, C channels.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .source_map import SourceMap
from .video_tokens import Kind

PAD_RANK = 2**40
"""The rank of padding: it may look at everything, and nothing valid looks at it."""


@dataclass(frozen=True)
class SequenceState:
    """One row a token. Frozen: a merger returns another state.

    Attributes:
        h: (B, L, C) hidden states.
        pos: (B, L) long, rotary position: the original row number, used for RoPE alone.
        rank: (B, L) long, visibility order, used for the mask alone: a row sees the valid rows of at most its rank.
        size: (B, L) float, how many patches the row stands for.
        frame: (B, L) long, frame index within the sample; -1 for text and for rows that span frames.
        slot: (B, L) long, the same value <=> the same place of the same grid; -1 may not merge.
        kind: (B, L) long, values of :class:`Kind`.
        valid: (B, L) bool, false on padding.
        src: From the assembled rows to these.
        rising: Whether ranks rise strictly from row to row, so that the kernel's own causal flag is the whole mask
            (padding stands on the right, where that flag hides it).
        padded: Whether any row is padding. Known on the host, so that asking costs no synchronisation.
    """

    h: Tensor
    pos: Tensor
    rank: Tensor
    size: Tensor
    frame: Tensor
    slot: Tensor
    kind: Tensor
    valid: Tensor
    src: SourceMap
    rising: bool = True
    padded: bool = False

    @cached_property
    def visual(self) -> Tensor:
        """(B, L) bool: rows that stand for pixels (``FRAME``, ``PATCH``, ``LINE``)."""
        return (self.kind >= Kind.FRAME) & (self.kind <= Kind.LINE)

    @cached_property
    def mergeable(self) -> Tensor:
        """(B, L) bool: valid visual rows that have a place to merge at (never text, never ``FRAME``)."""
        return self.valid & (self.slot >= 0) & self.visual & (self.kind != Kind.FRAME)

    @cached_property
    def lengths(self) -> Tensor:
        """(B,) long: valid rows of each sample."""
        return self.valid.sum(1)

    def replace(self, **fields: Any) -> "SequenceState":
        """A copy with other ``fields``."""
        return replace(self, **fields)

    def select(self, keep_BL: Tensor) -> "SequenceState":
        """Keep the rows where ``keep_BL``; order is kept, every field stays in step, ragged samples are padded."""
        packing = Packing.of(keep_BL & self.valid, self.valid)
        if packing is None:
            return self
        h_BMC = packing.take(self.h)
        return self._packed(packing, h_BMC, self.src.moved(packing.new_BL))

    def fold(self, into_BL: Tensor, latest: bool = False) -> "SequenceState":
        """Average rows into others: row ``l`` joins row ``into_BL[b, l]``; a row that stays names itself.

        Features are averaged by ``size`` (in float32), sizes add up, and the row joined keeps its place, ``pos``,
        ``slot`` and ``kind``. A row that spans several frames afterwards has ``frame`` -1.

        Args:
            into_BL: (B, L) long. A row that is joined must stay itself.
            latest: Give the merged row the latest rank of its members, so that it stays hidden from every row that
                could not see all of them (streaming). Default: it keeps the anchor's rank.
        """
        rows_BL = torch.arange(into_BL.shape[1], device=into_BL.device)
        packing = Packing.of((into_BL == rows_BL) & self.valid, self.valid)
        if packing is None:
            return self
        dst_BL = packing.new_BL.gather(1, into_BL).masked_fill(~self.valid, -1)
        size_BL = torch.zeros_like(self.size).scatter_add_(1, into_BL, self.size)
        share_BL = self.size / size_BL.gather(1, into_BL).clamp(min=torch.finfo(size_BL.dtype).tiny)
        low_BL = self.frame.scatter_reduce(1, into_BL, self.frame, "amin")
        high_BL = self.frame.scatter_reduce(1, into_BL, self.frame, "amax")
        fields = {"size": size_BL, "frame": torch.where(low_BL == high_BL, self.frame, -1)}
        if latest:
            fields["rank"] = self.rank.scatter_reduce(1, into_BL, self.rank, "amax")
        merged = self.replace(**fields, rising=self.rising and not latest)
        h_BMC = _weighted_sum(self.h, dst_BL, share_BL, packing)
        return merged._packed(packing, h_BMC, self.src.moved(dst_BL, share_BL))

    def _packed(self, packing: "Packing", h_BMC: Tensor, src: SourceMap) -> "SequenceState":
        """The state of the rows that stay, with ``h_BMC`` and ``src`` as they are after the move."""

        def take(field: Tensor, pad: int) -> Tensor:
            return packing.take(field).masked_fill(~packing.valid_BM, pad)

        return self.replace(
            h=h_BMC,
            pos=take(self.pos, 0),
            rank=take(self.rank, PAD_RANK),
            size=take(self.size, 0),
            frame=take(self.frame, -1),
            slot=take(self.slot, -1),
            kind=take(self.kind, Kind.PAD),
            valid=packing.valid_BM,
            src=src,
            padded=packing.padded,
        )


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


def _weighted_sum(h_BLC: Tensor, dst_BL: Tensor, share_BL: Tensor, packing: Packing) -> Tensor:
    """(B, M, C) the sum of the rows of each destination, weighted by their shares, in float32.

    An embedding bag reads every row once and writes every sum once, without a copy of ``h`` in between.
    """
    batch, most = packing.old_BM.shape
    first_B1 = torch.arange(batch, device=dst_BL.device)[:, None] * most
    bag_N = torch.where(dst_BL >= 0, dst_BL + first_B1, batch * most).flatten()
    bag_N, row_N = bag_N.sort(stable=True)  # stable: the members of a row are added in their own order
    row_N = row_N[: packing.rows]  # padding, which goes nowhere, stands last
    h = h_BLC.flatten(0, 1).to(torch.promote_types(h_BLC.dtype, torch.float32))
    sums = F.embedding_bag(
        row_N,
        h,
        offsets=torch.searchsorted(bag_N, torch.arange(batch * most, device=bag_N.device)),
        mode="sum",
        per_sample_weights=share_BL.flatten()[row_N].to(h.dtype),
    )
    return sums.to(h_BLC.dtype).unflatten(0, (batch, most))
