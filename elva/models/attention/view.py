"""What a merger may look at in the layer that it stands in, computed only when it asks.

Legend: B batch, L rows, C channels, H heads, G key/value heads, D head width, R rows asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .eager import attention_weights
from .mask import AttnMask

Projected = tuple[Tensor, Tensor, AttnMask, float]
"""Rotated queries (B, H, L, D), rotated keys (B, G, L, D), the mask, and the scale of the scores."""


@dataclass
class AttnView:
    """A view of one layer at a merge site.

    The fast attention kernel never gives its weights away; this recomputes just the rows that are asked for.

    Attributes:
        normed: Gives (B, L, C), the rows through the layer's own input norm: raw residual streams have a few huge
            channels that push every cosine to 1.
        project: Gives the layer's queries and keys for the rows at this site.
        record: Takes a name and a number for the log.
    """

    normed: Callable[[], Tensor]
    project: Callable[[], Projected]
    record: Callable[[str, Tensor], None]

    @cached_property
    def normed_BLC(self) -> Tensor:
        """The rows through the layer's input norm, (B, L, C)."""
        return self.normed()

    @cached_property
    def _projected(self) -> Projected:
        return self.project()

    @property
    def keys_BLD(self) -> Tensor:
        """(B, L, D) keys averaged over heads: the metric of ToMe."""
        return self._projected[1].mean(1)

    def rows(self, index_BR: Tensor) -> Tensor:
        """(B, H, R, L) attention weights of the queries ``index_BR`` (B, R), float32."""
        q_BHLD, k_BGLD, mask, scale = self._projected
        at = index_BR[:, None, :, None].expand(-1, q_BHLD.shape[1], -1, q_BHLD.shape[3])
        return attention_weights(q_BHLD.gather(2, at), k_BGLD, mask.rows(index_BR), scale)

    def last_row(self) -> Tensor:
        """(B, L) attention of each sample's last valid row, averaged over heads."""
        mask = self._projected[2]
        last_B1 = mask.k_valid.sum(1, keepdim=True) - 1
        return self.rows(last_B1).mean(1).squeeze(1)

    def column_mean(self, chunk: int = 1024) -> Tensor:
        """(B, L) attention that each row receives, averaged over heads and valid queries, a chunk of rows at a time."""
        mask = self._projected[2]
        length = mask.k_valid.shape[1]
        total = torch.zeros(mask.k_valid.shape, device=mask.k_valid.device)
        for start in range(0, length, chunk):
            index = torch.arange(start, min(start + chunk, length), device=total.device).expand(len(total), -1)
            total += (self.rows(index).mean(1) * mask.k_valid.gather(1, index)[..., None]).sum(1)
        return total / mask.k_valid.sum(1, keepdim=True)
