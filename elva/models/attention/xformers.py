"""Attention through xFormers' ``memory_efficient_attention`` (NVIDIA and AMD GPUs; ``pip install 'elva[xformers]'``).

Legend: B batch, H heads, G key/value heads, Q query rows, K key rows, D head width, N valid rows of the whole batch.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from elva.registry import ATTENTIONS

from .base import runs_on, say_once
from .eager import repeat_heads
from .mask import AttnMask
from .sdpa import absorb_size, sdpa


@ATTENTIONS.register_module()
@runs_on("cuda")
def xformers(
    q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, mask: AttnMask, scale: float, dropout: float = 0.0
) -> Tensor:
    """Memory-efficient attention; arguments as in :func:`elva.models.attention.sdpa.sdpa`.

    Where xFormers is not installed, and without a GPU, :func:`~elva.models.attention.sdpa.sdpa` does it instead, and
    the log says so once.
    """
    device = q_BHQD.device.type
    missing = why_not() if device == "cuda" else f"it runs on GPUs alone, and this is {device}"
    if missing is not None:
        say_once(f"attention='xformers': {missing}; 'sdpa' is used instead.")
        return sdpa(q_BHQD, k_BGKD, v_BGKD, mask, scale, dropout)
    return attend(_fmha(), q_BHQD, k_BGKD, v_BGKD, mask, scale, dropout)


@cache
def why_not() -> str | None:
    """Why xFormers cannot be used here; None if it can."""
    try:
        _fmha()
    except (ImportError, OSError) as error:
        return f"xFormers cannot be imported ({error}); pip install 'elva[xformers]'"
    return None


def _fmha() -> Any:
    from xformers.ops import fmha

    return fmha


def attend(
    fmha: Any, q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, mask: AttnMask, scale: float, dropout: float = 0.0
) -> Tensor:
    """The same with ``fmha``, the module ``xformers.ops.fmha``, which wants rows before heads."""
    width, heads = v_BGKD.shape[3], q_BHQD.shape[1]
    if mask.causal and mask.log_size is not None:
        q_BHQD, k_BGKD, v_BGKD = absorb_size(q_BHQD, k_BGKD, v_BGKD, mask.log_size, scale)
    q, k, v = (x.transpose(1, 2) for x in (q_BHQD, repeat_heads(k_BGKD, heads), repeat_heads(v_BGKD, heads)))
    if mask.causal and len(set(_lengths(mask))) > 1:
        out = _packed(fmha, q, k, v, mask, scale, dropout)
    else:
        out = fmha.memory_efficient_attention(q, k, v, _bias(fmha, mask, heads, q.dtype), dropout, scale)
    return out.transpose(1, 2)[..., :width]


def _lengths(mask: AttnMask) -> list[int]:
    return mask.made("lengths", lambda: mask.k_valid.sum(1).tolist())


def _packed(
    fmha: Any, q_BQHD: Tensor, k_BKHD: Tensor, v_BKHD: Tensor, mask: AttnMask, scale: float, dropout: float
) -> Tensor:
    """A ragged causal batch as one row of samples, so that nothing is computed on padding; zeros there."""
    lengths = _lengths(mask)
    rows_N = mask.made("rows", lambda: mask.k_valid.flatten().nonzero().squeeze(1))
    bias = mask.made(
        "block diagonal",
        lambda: fmha.attn_bias.BlockDiagonalCausalMask.from_seqlens([n for n in lengths if n], device=rows_N.device),
    )
    q, k, v = (x.flatten(0, 1)[rows_N][None] for x in (q_BQHD, k_BKHD, v_BKHD))
    out_1NHD = fmha.memory_efficient_attention(q, k, v, bias, dropout, scale)
    return torch.zeros_like(q_BQHD).flatten(0, 1).index_copy(0, rows_N, out_1NHD[0]).unflatten(0, q_BQHD.shape[:2])


def _bias(fmha: Any, mask: AttnMask, heads: int, dtype: torch.dtype) -> Any:
    """Its own causal mask, nothing, or what is added to the scores (B, H, Q, K), in the alignment that it wants."""
    if mask.causal:
        return fmha.attn_bias.LowerTriangularMask()
    if mask.bias_free:
        return None
    bias_B1QK = mask.made(("aligned", dtype), lambda: _aligned(mask.additive(dtype)))
    return bias_B1QK.expand(len(mask.q_rank), heads, -1, -1)


def _aligned(bias_B1QK: Tensor) -> Tensor:
    """The same numbers, with rows that begin at multiples of 8 in memory."""
    keys = bias_B1QK.shape[3]
    return F.pad(bias_B1QK, (0, -keys % 8))[..., :keys]
