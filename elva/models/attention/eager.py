"""Attention in plain tensor operations: easy to check the others against, and hungry for memory.

On a CPU, in bfloat16, a training step of short sequences is faster than with the fused kernel, whose backward pass is
slow there (3.4 times at 64 rows, 1.8 times at 128, even at 256): the tiny configs use it.

Legend: B batch, H heads, G key/value heads, Q query rows, K key rows, D head width.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from elva.registry import ATTENTIONS

from .base import runs_on
from .mask import AttnMask


@ATTENTIONS.register_module()
@runs_on("cpu", "cuda")
def eager(q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, mask: AttnMask, scale: float, dropout: float = 0.0) -> Tensor:
    """Softmax attention written out; arguments as in :func:`elva.models.attention.sdpa.sdpa`."""
    weights = F.dropout(attention_weights(q_BHQD, k_BGKD, mask, scale).to(v_BGKD.dtype), dropout)
    return weights @ repeat_heads(v_BGKD, q_BHQD.shape[1])


def attention_weights(q_BHQD: Tensor, k_BGKD: Tensor, mask: AttnMask, scale: float) -> Tensor:
    """Softmax of the scores in float32, (B, H, Q, K)."""
    scores = ((q_BHQD * scale) @ repeat_heads(k_BGKD, q_BHQD.shape[1]).transpose(2, 3)).float()
    return torch.softmax(scores if mask.full and mask.bias_free else scores + mask.additive(scores.dtype), dim=-1)


def repeat_heads(x_BGKD: Tensor, heads: int) -> Tensor:
    """Give each of the ``heads`` query heads its key/value head."""
    if x_BGKD.shape[1] == heads:
        return x_BGKD
    return x_BGKD.repeat_interleave(heads // x_BGKD.shape[1], dim=1)
