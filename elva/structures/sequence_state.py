"""The sequence inside the language model, text rows included, and the two verbs that mergers are written in.

Legend: B samples, L rows (padded on the right), M rows after a merge, C channels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .packing import Packing, size_shares, spread, weighted_sum
from .source_map import SourceMap
from .video_tokens import Kind

PAD_RANK = 2**40
"""The rank of padding: it may look at everything, and nothing valid looks at it."""

ASKS = "asks"
"""In the memo of a training step: (B, E) bool, the assembled rows that answers follow, where generation would begin."""


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
        cell: (B, L, 2) long, row and column in the patch's own grid (a ``LINE`` has the column behind the last); -1
            for text and ``FRAME``. Default: None, the rows have no grid (text, decoding).
        memo: What a merger leaves for its own later sites in the same pass, by name; while training, ``ASKS`` as well.
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
    cell: Tensor | None = None
    memo: Mapping[str, Any] = field(default_factory=dict)

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
        size_BL, share_BL = size_shares(self.size, into_BL)
        fields = {"size": size_BL, "frame": spread(self.frame, into_BL)}
        if latest:
            fields["rank"] = self.rank.scatter_reduce(1, into_BL, self.rank, "amax")
        merged = self.replace(**fields, rising=self.rising and not latest)
        h_BMC = weighted_sum(self.h, dst_BL, share_BL, packing)
        return merged._packed(packing, h_BMC, self.src.moved(dst_BL, share_BL))

    def _packed(self, packing: "Packing", h_BMC: Tensor, src: SourceMap) -> "SequenceState":
        """The state of the rows that stay, with ``h_BMC`` and ``src`` as they are after the move."""

        def take(values: Tensor, pad: int) -> Tensor:
            return packing.take(values).masked_fill(~packing.valid_BM, pad)

        return self.replace(
            h=h_BMC,
            pos=take(self.pos, 0),
            rank=take(self.rank, PAD_RANK),
            size=take(self.size, 0),
            frame=take(self.frame, -1),
            slot=take(self.slot, -1),
            cell=None if self.cell is None else packing.take(self.cell).masked_fill(~packing.valid_BM[..., None], -1),
            kind=take(self.kind, Kind.PAD),
            valid=packing.valid_BM,
            src=src,
            padded=packing.padded,
        )
