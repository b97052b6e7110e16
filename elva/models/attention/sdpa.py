"""Attention through ``torch.nn.functional.scaled_dot_product_attention`` (the default).

Legend: B batch, H heads, G key/value heads, Q query rows, K key rows, D head width.
"""

from torch import Tensor
from torch.nn import functional as F

from elva.registry import ATTENTIONS

from .mask import AttnMask


@ATTENTIONS.register_module()
def sdpa(q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, mask: AttnMask, scale: float, dropout: float = 0.0) -> Tensor:
    """Scaled dot-product attention with grouped heads; PyTorch picks the kernel.

    Args:
        q_BHQD: Queries, (B, H, Q, D).
        k_BGKD: Keys, (B, G, K, D) with H a multiple of G.
        v_BGKD: Values, like the keys.
        mask: Who sees whom. No mask tensor is built where ``mask.bias_free``.
        scale: Factor on the scores.
        dropout: Probability of dropping an attention weight. Default: 0.

    Returns:
        (B, H, Q, D).
    """
    return F.scaled_dot_product_attention(
        q_BHQD,
        k_BGKD,
        v_BGKD,
        attn_mask=None if mask.bias_free else mask.dense,
        is_causal=mask.causal,
        scale=scale,
        dropout_p=dropout,
        enable_gqa=q_BHQD.shape[1] != k_BGKD.shape[1],
    )
