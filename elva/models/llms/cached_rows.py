"""What the rows are that a layer has cached: kept once for all layers with the same rows.

Legend: B batch, K cached rows, P positions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from elva.models.attention import AttnMask
from elva.structures import SequenceState
from elva.structures.packing import Packing

ROW_FIELDS = ("pos", "rank", "size", "valid", "visual")
"""The tensors of :class:`CachedRows`."""


@dataclass(frozen=True)
class CachedRows:
    """What the rows are that a layer has cached; layers with the same rows share one.

    Attributes:
        pos: (B, K) long.
        rank: (B, K) long.
        size: (B, K) float.
        valid: (B, K) bool.
        visual: (B, K) bool.
        span: Rows that there would be without merging: no two ranks, and no two positions, are further apart.
        padded: Whether some of them are padding.
    """

    pos: Tensor
    rank: Tensor
    size: Tensor
    valid: Tensor
    visual: Tensor
    span: int
    padded: bool

    @classmethod
    def of(cls, state: SequenceState, past: "CachedRows | None" = None) -> "CachedRows":
        """The rows of ``state``, behind those of ``past``."""
        new = {name: getattr(state, name) for name in ROW_FIELDS}
        span, padded = state.src.dst.shape[1], state.padded
        if past is None:
            return cls(**new, span=span, padded=padded)
        joined = {name: torch.cat((getattr(past, name), new[name]), 1) for name in ROW_FIELDS}
        return cls(**joined, span=past.span + span, padded=past.padded or padded)

    @cached_property
    def sized(self) -> bool:
        """Whether any row stands for several (a synchronisation: ask only where it matters)."""
        return bool((self.size > 1).any())

    def mask(self, state: SequenceState, size_bias: bool = False) -> AttnMask:
        """The mask of the rows of ``state``, which are the last of these; with ``size_bias``, their sizes count."""
        alone = state.rank.shape[1] == self.rank.shape[1]
        return AttnMask(
            state.rank,
            self.rank,
            self.valid,
            causal=alone and state.rising,
            full=state.rank.shape[1] == 1 and not self.padded,
            span=self.span,
            k_size=self.size if size_bias and self.sized else None,
        )

    def take(self, packing: Packing) -> "CachedRows":
        """Those of them that ``packing`` keeps."""
        some = {name: packing.take(getattr(self, name)) for name in ROW_FIELDS if name != "valid"}
        return CachedRows(**some, valid=packing.valid_BM, span=self.span, padded=packing.padded)

    def each(self, change: Callable[[Tensor], Tensor]) -> "CachedRows":
        """These rows with ``change`` made to every tensor."""
        changed = {name: change(getattr(self, name)) for name in ROW_FIELDS}
        return CachedRows(**changed, span=self.span, padded=self.padded)

    def find(self, other: "CachedRows", chosen_BK: Tensor) -> Tensor:
        """(B, own K) bool: text, and the rows whose position is that of one of ``chosen_BK`` among ``other``."""
        chosen_BP = torch.zeros(len(self.pos), self.span + 1, dtype=torch.bool, device=self.pos.device)
        chosen_BP.scatter_(1, other.pos.masked_fill(~other.visual, self.span), chosen_BK)
        return self.valid & (~self.visual | chosen_BP.gather(1, self.pos))

    def same(self, other: "CachedRows") -> bool:
        """Whether ``other`` says the same of every row."""
        return all(torch.equal(getattr(self, name), getattr(other, name)) for name in ROW_FIELDS)
