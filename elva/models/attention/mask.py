"""Who sees whom, decided from the rows' own description.

Legend: B batch, Q query rows, K key rows.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from elva.structures import PAD_RANK


@dataclass(frozen=True)
class AttnMask:
    """A key is visible iff it is valid and its rank is at most the query's (and within the window, if there is one).

    Attributes:
        q_rank: (B, Q) long.
        k_rank: (B, K) long.
        k_valid: (B, K) bool.
        causal: The kernel's own causal flag says it all: no mask tensor is needed.
        full: Every query sees every key (a decoding step over an unpadded cache): no mask tensor either.
        window: A query sees keys whose rank is less than this many below its own. Default: no window.
        span: Ranks of valid rows differ by less than this (how many rows there were before any merge), so that the
            host knows whether a window bites. Default: unknown.
    """

    q_rank: Tensor
    k_rank: Tensor
    k_valid: Tensor
    causal: bool = False
    full: bool = False
    window: int | None = None
    span: int | None = None

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

    def rows(self, index_BR: Tensor) -> Tensor:
        """(B, 1, R, K) bool: the mask of the queries ``index_BR`` alone."""
        some = AttnMask(self.q_rank.gather(1, index_BR), self.k_rank, self.k_valid, window=self.window)
        return some.dense

    def windowed(self, window: int | None) -> "AttnMask":
        """This mask for a layer with a sliding window of ``window`` rows; itself where the window does not bite."""
        if window is None or (self.span is not None and self.span <= window):
            return self
        if window not in self._windows:
            self._windows[window] = AttnMask(self.q_rank, self.k_rank, self.k_valid, window=window)
        return self._windows[window]

    @cached_property
    def _windows(self) -> dict[int, "AttnMask"]:
        return {}

    @property
    def bias_free(self) -> bool:
        """Whether no mask tensor has to be built."""
        return self.causal or self.full


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A float mask for kernels that add it to the scores: 0 where ``mask``, minus infinity elsewhere."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, float("-inf"))
