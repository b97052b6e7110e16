"""The sequence inside the language model, text rows included, and the two verbs that mergers are written in.

Legend: B samples, L rows (padded on the right), M rows after a merge, C channels.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

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
        return self._compact(keep_BL & self.valid, self.h, self.src)

    def fold(self, into_BL: Tensor, latest: bool = False) -> "SequenceState":
        """Average rows into others: row ``l`` joins row ``into_BL[b, l]``; a row that stays names itself.

        Features are averaged by ``size`` (in float32), sizes add up, and the row joined keeps its place, ``pos``,
        ``slot`` and ``kind``. A row that spans several frames afterwards has ``frame`` -1.

        Args:
            into_BL: (B, L) long. A row that is joined must stay itself.
            latest: Give the merged row the latest rank of its members, so that it stays hidden from every row that
                could not see all of them (streaming). Default: it keeps the anchor's rank.
        """
        rows_BL = torch.arange(into_BL.shape[1], device=into_BL.device).expand_as(into_BL)
        stays_BL = into_BL == rows_BL
        size_BL = torch.zeros_like(self.size).scatter_add_(1, into_BL, self.size)
        share_BL = self.size / size_BL.gather(1, into_BL).clamp(min=torch.finfo(size_BL.dtype).tiny)
        fields: dict[str, Any] = {"size": size_BL}
        low = self.frame.scatter_reduce(1, into_BL, self.frame, "amin")
        high = self.frame.scatter_reduce(1, into_BL, self.frame, "amax")
        fields["frame"] = torch.where(low == high, self.frame, -1)
        if latest:
            fields["rank"] = self.rank.scatter_reduce(1, into_BL, self.rank, "amax")
            fields["rising"] = False
        h = _weighted_sum(self.h, into_BL, share_BL, ~stays_BL & self.valid)
        merged = self.replace(**fields)
        return merged._compact(stays_BL & self.valid, h, self.src.moved(into_BL, share_BL))

    def _compact(self, keep_BL: Tensor, h_BLC: Tensor, src: SourceMap) -> "SequenceState":
        """Move the kept rows to the front of each sample and cut the rest away."""
        count_B = keep_BL.sum(1)
        most, least = torch.stack((count_B.max(), count_B.min())).tolist()  # one synchronisation
        if least == keep_BL.shape[1]:
            return self.replace(h=h_BLC, src=src)
        new_BL = (keep_BL.cumsum(1) - 1).masked_fill(~keep_BL, -1)
        old_BM = _inverse(new_BL, most)
        valid_BM = torch.arange(most, device=keep_BL.device) < count_B[:, None]

        def take(field: Tensor, pad: int) -> Tensor:
            return field.gather(1, old_BM).masked_fill(~valid_BM, pad)

        return self.replace(
            h=h_BLC.gather(1, old_BM[..., None].expand(-1, -1, h_BLC.shape[2])),
            pos=take(self.pos, 0),
            rank=take(self.rank, PAD_RANK),
            size=take(self.size, 0),
            frame=take(self.frame, -1),
            slot=take(self.slot, -1),
            kind=take(self.kind, Kind.PAD),
            valid=valid_BM,
            src=src.moved(new_BL),
            padded=least != most,
        )


def _inverse(new_BL: Tensor, length: int) -> Tensor:
    """(B, ``length``) the old row of each new one; rows that nothing maps to point at row 0."""
    rows_BL = torch.arange(new_BL.shape[1], device=new_BL.device).expand_as(new_BL)
    old = new_BL.new_zeros(new_BL.shape[0], length + 1)
    return old.scatter_(1, torch.where(new_BL >= 0, new_BL, length), rows_BL)[:, :length]


def _weighted_sum(h_BLC: Tensor, into_BL: Tensor, share_BL: Tensor, moves_BL: Tensor) -> Tensor:
    """``h`` with each row that is joined replaced by the weighted mean of its members, summed in float32."""
    flat = h_BLC.flatten(0, 1)
    offset = torch.arange(h_BLC.shape[0], device=h_BLC.device)[:, None] * h_BLC.shape[1]
    into = (into_BL + offset).flatten()
    moved = moves_BL.flatten().nonzero().squeeze(1)
    share = share_BL.flatten().float()[:, None]
    own = flat.float() * share
    target = into.index_select(0, moved)
    return own.index_add(0, target, own.index_select(0, moved)).to(h_BLC.dtype).view_as(h_BLC)
