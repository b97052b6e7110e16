"""Who sees whom, decided from the rows' own description.

Legend: B batch, Q query rows, K key rows.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


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
    """

    q_rank: Tensor
    k_rank: Tensor
    k_valid: Tensor
    causal: bool = False
    full: bool = False
    window: int | None = None

    @cached_property
    def dense(self) -> Tensor:
        """(B, 1, Q, K) bool, true where the key is visible."""
        distance = self.q_rank[:, :, None] - self.k_rank[:, None, :]
        visible = (distance >= 0) & self.k_valid[:, None, :]
        if self.window is not None:
            visible &= distance < self.window
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
        if window is None or self.k_rank.shape[1] <= window:
            return self
        return AttnMask(self.q_rank, self.k_rank, self.k_valid, window=window)

    @property
    def bias_free(self) -> bool:
        """Whether no mask tensor has to be built."""
        return self.causal or self.full


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A float mask for kernels that add it to the scores: 0 where ``mask``, minus infinity elsewhere."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, float("-inf"))
