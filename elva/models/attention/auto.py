"""The fastest kernel that is there for each mask.

Legend: B batch, H heads, G key/value heads, Q query rows, K key rows, D head width.
"""

import torch
from torch import Tensor
from torch.utils._triton import has_triton

from elva.registry import ATTENTIONS

from .base import runs_on, say_once
from .mask import AttnMask
from .xformers import why_not

_SMALL = 256
"""Keys below which written-out attention trains faster than the fused kernel in 16 bits on a CPU (measured)."""


@ATTENTIONS.register_module()
@runs_on("cpu", "cuda")
def auto(q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, mask: AttnMask, scale: float, dropout: float = 0.0) -> Tensor:
    """Whatever :func:`choose` says; the log says it once. Arguments as in :func:`elva.models.attention.sdpa.sdpa`."""
    trains = torch.is_grad_enabled() and q_BHQD.requires_grad
    name, why = choose(q_BHQD.device.type, q_BHQD.dtype, mask, trains, dropout > 0)
    say_once(f"attention='auto': '{name}' on {q_BHQD.device.type}, {why}.", warn=False)
    out: Tensor = ATTENTIONS.get(name)(q_BHQD, k_BGKD, v_BGKD, mask, scale, dropout)
    return out


def choose(device: str, dtype: torch.dtype, mask: AttnMask, trains: bool, dropout: bool = False) -> tuple[str, str]:
    """The name of a kernel in ``ATTENTIONS``, and the reason.

    Args:
        device: Type of the device.
        dtype: Of the queries.
        mask: Who sees whom.
        trains: Whether there will be a backward pass.
        dropout: Whether weights are dropped.
    """
    if device == "cpu":
        if trains and dtype != torch.float32 and mask.k_rank.shape[1] < _SMALL:
            return "eager", "training in 16 bits at few rows: the fused kernel's backward pass is slow there"
        return "sdpa", "the fused kernel"
    if mask.causal or mask.bias_free:
        return "sdpa", "the fused kernel's own flag is the whole mask"
    if mask.q_rank.shape[1] == 1:
        return "sdpa", "a mask of a single query is small"
    if device == "cuda" and not dropout and has_triton():
        return "flex", "blocks that the mask hides are skipped, and no mask tensor is built"
    if device == "cuda" and why_not() is None:
        return "xformers", "Triton, which flex needs, is missing" if not dropout else "flex has no dropout"
    return "sdpa", "neither flex nor xFormers can do it here"
