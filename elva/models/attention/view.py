"""What a merger may look at in the layer that it stands in, computed only when it asks.

Legend: B batch, L rows of the state, K keys (those of earlier, cached rows first), C channels, H heads, G key/value
heads, D head width, R rows asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .eager import attention_weights
from .mask import AttnMask

Projected = tuple[Tensor, Tensor, AttnMask, float]
"""Rotated queries (B, H, L, D), rotated keys (B, G, K, D), the mask, and the scale of the scores."""

_SCORES = 2**26
"""Attention weights held at a time when a whole matrix is summed up: 256 MB."""


@dataclass
class AttnView:
    """A view of one layer at a merge site.

    The fast attention kernel never gives its weights away; this recomputes just the rows that are asked for. Where
    earlier rows are cached, the softmax runs over them as well, and what is returned is about the rows of the state.

    Attributes:
        norm: The layer's own input norm, for rows (..., C): raw residual streams have a few huge channels that push
            every cosine to 1.
        project: Gives the layer's queries and keys for the rows at this site: those of its attention, or, before
            it, those that it will have if nothing merges.
        record: Takes a name and a number for the log.
    """

    norm: Callable[[Tensor], Tensor]
    project: Callable[[], Projected]
    record: Callable[[str, Tensor], None]

    @cached_property
    def _projected(self) -> Projected:
        return self.project()

    @property
    def keys_BLD(self) -> Tensor:
        """(B, L, D) keys averaged over heads: the metric of ToMe."""
        q_BHLD, k_BGKD, _, _ = self._projected
        return k_BGKD[:, :, -q_BHLD.shape[2] :].mean(1)

    def rows(self, index_BR: Tensor) -> Tensor:
        """(B, H, R, L) attention weights of the queries ``index_BR`` (B, R), float32."""
        q_BHLD, k_BGKD, mask, scale = self._projected
        at = index_BR[:, None, :, None].expand(-1, q_BHLD.shape[1], -1, q_BHLD.shape[3])
        weights_BHRK = attention_weights(q_BHLD.gather(2, at), k_BGKD, mask.rows(index_BR), scale)
        return weights_BHRK[..., -q_BHLD.shape[2] :]

    def last_row(self) -> Tensor:
        """(B, L) attention of each sample's last valid row, averaged over heads."""
        last_B1 = self._valid_BL.sum(1, keepdim=True) - 1
        return self.rows(last_B1).mean(1).squeeze(1)

    def column_mean(self) -> Tensor:
        """(B, L) attention that each row receives, averaged over heads and valid queries, some rows at a time."""
        q_BHLD, k_BGKD, _, _ = self._projected
        valid_BL = self._valid_BL
        chunk = max(1, _SCORES // (q_BHLD.shape[0] * q_BHLD.shape[1] * k_BGKD.shape[2]))
        total_BL = torch.zeros(valid_BL.shape, device=valid_BL.device)
        for index_R in torch.arange(valid_BL.shape[1], device=valid_BL.device).split(chunk):
            index_BR = index_R.expand(len(valid_BL), -1)
            total_BL += (self.rows(index_BR).mean(1) * valid_BL.gather(1, index_BR)[..., None]).sum(1)
        return total_BL / valid_BL.sum(1, keepdim=True)

    @property
    def _valid_BL(self) -> Tensor:
        q_BHLD, _, mask, _ = self._projected
        return mask.k_valid[:, -q_BHLD.shape[2] :]
