"""Attention through ``torch.nn.functional.scaled_dot_product_attention`` (the default).

Legend: B batch, H heads, G key/value heads, Q query rows, K key rows, D head width, E head width with a channel more.
"""

from torch import Tensor
from torch.nn import functional as F

from elva.registry import ATTENTIONS

from .base import runs_on
from .eager import repeat_heads
from .mask import AttnMask


@ATTENTIONS.register_module()
@runs_on("cpu", "cuda")
def sdpa(q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, mask: AttnMask, scale: float, dropout: float = 0.0) -> Tensor:
    """Scaled dot-product attention with grouped heads; PyTorch picks the kernel.

    Args:
        q_BHQD: Queries, (B, H, Q, D).
        k_BGKD: Keys, (B, G, K, D) with H a multiple of G.
        v_BGKD: Values, like the keys.
        mask: Who sees whom. No mask tensor is built where ``mask.causal``, nor where ``mask.bias_free``.
        scale: Factor on the scores.
        dropout: Probability of dropping an attention weight. Default: 0.

    Returns:
        (B, H, Q, D).
    """
    shape, groups = q_BHQD.shape, k_BGKD.shape[1]
    if mask.causal and mask.log_size is not None:
        q_BHQD, k_BGKD, v_BGKD = absorb_size(q_BHQD, k_BGKD, v_BGKD, mask.log_size, scale)
    elif shape[2] == 1:  # the heads of a group become queries of one head: its keys are read once, in half the time
        q_BHQD = q_BHQD.reshape(shape[0], groups, -1, shape[3])
    mask_B1QK = _mask_tensor(q_BHQD, mask)
    if mask_B1QK is not None and q_BHQD.device.type != "cpu":  # with a mask no fused GPU kernel shares heads: all
        k_BGKD, v_BGKD = (repeat_heads(x, q_BHQD.shape[1]) for x in (k_BGKD, v_BGKD))  # scores would be in memory
    out_BHQE = F.scaled_dot_product_attention(
        q_BHQD,
        k_BGKD,
        v_BGKD,
        attn_mask=mask_B1QK,
        is_causal=mask.causal,
        scale=scale,
        dropout_p=dropout,
        enable_gqa=q_BHQD.shape[1] != k_BGKD.shape[1],
    )
    return out_BHQE[..., : shape[3]].reshape(shape)  # some kernels lay rows out before heads: no view of a step


def _mask_tensor(q_BHQD: Tensor, mask: AttnMask) -> Tensor | None:
    if mask.causal or mask.bias_free:
        return None
    return mask.dense if mask.log_size is None else mask.additive(q_BHQD.dtype)


def absorb_size(
    q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, log_size_B11K: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values whose plain scores contain ``log_size``, (B, H, Q, E), (B, G, K, E) and (B, G, K, E).

    One channel more: 1 in every query, ``log_size / scale`` in the key. So the causal flag remains the whole mask, and
    the fused kernels for it remain in use, which take no bias; at 2,048 rows on a CPU this costs a twentieth, and a
    mask tensor costs half as much again. The width grows by 8, since these kernels want multiples of 8, and that of
    the values with it, since they want one width.
    """
    q_BHQE, k_BGKE, v_BGKE = (F.pad(x, (0, 8)) for x in (q_BHQD, k_BGKD, v_BGKD))
    q_BHQE[..., q_BHQD.shape[3]] = 1
    k_BGKE[..., q_BHQD.shape[3]] = (log_size_B11K[:, 0] / scale).to(k_BGKE.dtype)
    return q_BHQE, k_BGKE, v_BGKE
