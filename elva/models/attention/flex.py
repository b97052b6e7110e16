"""Attention through ``torch.nn.attention.flex_attention``: the mask is a rule, and blocks that it hides are skipped.

Legend: B batch, H heads, G key/value heads, Q query rows, K key rows, D head width, I blocks of queries, J of keys.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from elva.registry import ATTENTIONS
from elva.structures import PAD_RANK

from .base import runs_on, say_once
from .mask import AttnMask
from .sdpa import sdpa

BLOCK = 128


@ATTENTIONS.register_module()
@runs_on("cpu", "cuda", trains_on=("cuda",))
def flex(q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, mask: AttnMask, scale: float, dropout: float = 0.0) -> Tensor:
    """Attention under any mask without a tensor of Q x K; arguments as in :func:`elva.models.attention.sdpa.sdpa`.

    Compiled on a GPU. On a CPU it runs uncompiled, with every score in memory and no backward pass: good for checks
    alone. What it cannot do (dropout, training on a CPU) :func:`~elva.models.attention.sdpa.sdpa` does instead.
    """
    on_cpu = q_BHQD.device.type == "cpu"
    if dropout or (on_cpu and any(x.requires_grad for x in (q_BHQD, k_BGKD, v_BGKD))):
        lacks = "dropout" if dropout else "backward pass on a CPU"
        say_once(f"attention='flex': flex_attention has no {lacks}; 'sdpa' is used instead.")
        return sdpa(q_BHQD, k_BGKD, v_BGKD, mask, scale, dropout)
    return attend(_uncompiled if on_cpu else _compiled(), q_BHQD, k_BGKD, v_BGKD, mask, scale)


def attend(
    run: Callable[..., Tensor], q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, mask: AttnMask, scale: float
) -> Tensor:
    """The same with ``run``, a form of ``flex_attention``."""
    return run(
        q_BHQD,
        k_BGKD,
        v_BGKD,
        score_mod=mask.made("score_mod", lambda: _score_mod(mask)),
        block_mask=mask.made("block_mask", lambda: block_mask(mask)),
        scale=scale,
        enable_gqa=q_BHQD.shape[1] != k_BGKD.shape[1],
    )


def block_mask(mask: AttnMask) -> BlockMask:
    """The blocks of 128 queries by 128 keys that have something visible, found from each block's ranks alone.

    A pair of blocks can be skipped if the lowest valid rank of its keys is above the highest of its queries; it needs
    no look at single rows if the highest rank of its keys, all valid, is at most the lowest of its queries. With a
    window both are asked at its other end as well. So no tensor of Q x K is built here either.
    """
    q_low, q_high = _blocks(mask.q_rank, PAD_RANK, "amin"), _blocks(mask.q_rank, -1, "amax")
    k_low = _blocks(mask.k_rank.masked_fill(~mask.k_valid, PAD_RANK + 1), PAD_RANK + 1, "amin")
    k_high = _blocks(mask.k_rank.masked_fill(~mask.k_valid, PAD_RANK + 1), PAD_RANK + 1, "amax")
    some_BIJ = k_low[:, None] <= q_high[:, :, None]
    all_BIJ = k_high[:, None] <= q_low[:, :, None]
    if mask.window is not None:
        last_BJ = _blocks(mask.k_rank.masked_fill(~mask.k_valid, -1), -1, "amax")
        padding_BI1 = q_high[:, :, None] == PAD_RANK  # looks at everything
        some_BIJ &= (last_BJ[:, None] > q_low[:, :, None] - mask.window) | padding_BI1
        all_BIJ &= k_low[:, None] > q_high[:, :, None] - mask.window
    partly, wholly = (_numbered(blocks) for blocks in (some_BIJ & ~all_BIJ, all_BIJ))
    lengths = (mask.q_rank.shape[1], mask.k_rank.shape[1])
    return BlockMask.from_kv_blocks(*partly, *wholly, BLOCK, _mask_mod(mask), lengths)


def _blocks(rank_BL: Tensor, pad: int, how: str) -> Tensor:
    """(B, blocks) the lowest (``'amin'``) or highest (``'amax'``) rank of each block."""
    padded = F.pad(rank_BL, (0, -rank_BL.shape[1] % BLOCK), value=pad).unflatten(1, (-1, BLOCK))
    return padded.amin(2) if how == "amin" else padded.amax(2)


def _numbered(blocks_BIJ: Tensor) -> tuple[Tensor, Tensor]:
    """How many key blocks each query block has, (B, 1, I) int32, and which, (B, 1, I, J) int32, those first."""
    order = blocks_BIJ.int().argsort(dim=-1, descending=True, stable=True)
    return blocks_BIJ.sum(-1, dtype=torch.int32)[:, None], order.int()[:, None]


def _mask_mod(mask: AttnMask) -> Callable[..., Tensor]:
    q_rank, k_rank, k_valid, window = mask.q_rank, mask.k_rank, mask.k_valid, mask.window

    def visible(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        del h
        seen = (k_rank[b, k] <= q_rank[b, q]) & k_valid[b, k]
        if window is None:
            return seen
        return seen & ((k_rank[b, k] > q_rank[b, q] - window) | (q_rank[b, q] == PAD_RANK))

    return visible


def _score_mod(mask: AttnMask) -> Callable[..., Tensor] | None:
    if mask.log_size is None:
        return None
    log_size_BK = mask.log_size[:, 0, 0]

    def add_size(score: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        del h, q
        return score + log_size_BK[b, k]

    return add_size


def _uncompiled(*args: Any, **kwargs: Any) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="flex_attention called without torch.compile")
        out: Tensor = flex_attention(*args, **kwargs)
    return out


@cache
def _compiled() -> Callable[..., Tensor]:
    compiled: Callable[..., Tensor] = torch.compile(flex_attention)
    return compiled
