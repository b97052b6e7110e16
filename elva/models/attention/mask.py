"""Who sees whom, and which rows count for several, decided from the rows' own description.

Legend: B batch, Q query rows, K key rows, R query rows asked for.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor

from elva.structures import PAD_RANK

T = TypeVar("T")


@dataclass(frozen=True)
class AttnMask:
    """A key is visible iff it is valid and its rank is at most the query's (and within the window, if there is one).

    Attributes:
        q_rank: (B, Q) long.
        k_rank: (B, K) long.
        k_valid: (B, K) bool.
        causal: The kernel's own causal flag says who is visible: no mask tensor is needed for that.
        full: Every query sees every key (a decoding step over an unpadded cache): no mask tensor either.
        window: A query sees keys whose rank is less than this many below its own. Default: no window.
        span: Ranks of valid rows differ by less than this (how many rows there were before any merge), so that the
            host knows whether a window bites. Default: unknown.
        k_size: (B, K) float, how many rows each key counts for: the logarithm is added to its scores. Default: each
            counts for one.
    """

    q_rank: Tensor
    k_rank: Tensor
    k_valid: Tensor
    causal: bool = False
    full: bool = False
    window: int | None = None
    span: int | None = None
    k_size: Tensor | None = None

    @cached_property
    def dense(self) -> Tensor:
        """(B, 1, Q, K) bool, true where the key is visible."""
        q_BQ1, k_B1K = self.q_rank[:, :, None], self.k_rank[:, None, :]
        visible = (k_B1K <= q_BQ1) & self.k_valid[:, None, :]
        if self.window is not None:  # padding has no place in the window; seeing nothing it would become NaN
            visible &= (k_B1K > q_BQ1 - self.window) | (q_BQ1 == PAD_RANK)
        return visible[:, None]

    @property
    def triangle(self) -> Tensor:
        """(1, 1, Q, K) bool: the mask that the causal flag stands for."""
        assert self.causal
        return torch.ones(
            self.q_rank.shape[1], self.k_rank.shape[1], dtype=torch.bool, device=self.q_rank.device
        ).tril()[None, None]

    @cached_property
    def log_size(self) -> Tensor | None:
        """(B, 1, 1, K) float32, what is added to the scores of each key; None if that is nothing."""
        return None if self.k_size is None else self.k_size.float().clamp(min=1).log()[:, None, None]

    def additive(self, dtype: torch.dtype) -> Tensor:
        """(B or 1, 1, Q, K) what is added to the scores: minus infinity where not visible, else the log of the size."""

        def build() -> Tensor:
            visible = self.triangle if self.causal else self.dense
            bias = torch.zeros_like(visible, dtype=dtype).masked_fill(~visible, float("-inf"))
            return bias if self.log_size is None else bias + self.log_size.to(dtype)

        return self.made(("additive", dtype), build)

    def rows(self, index_BR: Tensor) -> "AttnMask":
        """The mask of the queries ``index_BR`` alone."""
        q_rank = self.q_rank.gather(1, index_BR)
        return AttnMask(q_rank, self.k_rank, self.k_valid, window=self.window, k_size=self.k_size)

    def windowed(self, window: int | None) -> "AttnMask":
        """This mask for a layer with a sliding window of ``window`` rows; itself where the window does not bite."""
        if window is None or (self.span is not None and self.span <= window):
            return self
        return self.made(("window", window), lambda: replace(self, causal=False, full=False, window=window))

    def made(self, name: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` makes of this mask; the layers that share the mask share it too."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    @cached_property
    def _made(self) -> dict[Hashable, Any]:
        return {}

    @property
    def bias_free(self) -> bool:
        """Whether nothing has to be added to the scores."""
        return (self.causal or self.full) and self.k_size is None
