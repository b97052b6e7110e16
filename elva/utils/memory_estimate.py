"""How much memory training needs, estimated from shapes.

What is counted: weights, gradients, the optimizer's state, what the decoder keeps for its backward pass, and the
logits. What is not: the tokenizer's activations (a few percent of the decoder's), the teacher's working memory, the
allocator's fragments, CUDA's context (about half a GiB), communication buffers.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from elva.models.llms import HFDecoder


def state_bytes(model: nn.Module, moments: int = 2, shards: int = 1, low_precision: bool = False) -> dict[str, float]:
    """Bytes of weights, gradients and optimizer state on one device.

    Args:
        model: On any device.
        moments: Values that the optimizer keeps for each trained weight, in the weight's type: 2 for Adam.
        shards: Devices that weights, gradients and optimizer state are divided over (FSDP). Default: 1, each has all.
        low_precision: Whether the forward pass computes in a 16-bit copy of the weights.

    Returns:
        ``'weights'``, ``'16-bit copy'``, ``'gradients'``, ``'optimizer'``. Divided weights are collected one layer at a
        time, so the copy is then that of the largest layer, twice (one in use, one on its way).
    """
    parameters = list(model.parameters())
    trained = sum(p.numel() * p.element_size() for p in parameters if p.requires_grad)
    wide = [p.numel() for p in parameters if p.element_size() > 2]
    largest = max((_numel(layer) for layer in _layers(model)), default=0)
    copy = 2.0 * sum(wide) if low_precision else 0.0
    return {
        "weights": sum(p.numel() * p.element_size() for p in parameters) / shards,
        "16-bit copy": copy if shards == 1 else min(copy, 2 * 2.0 * largest),
        "gradients": trained / shards,
        "optimizer": moments * trained / shards,
    }


def activation_bytes(
    llm: HFDecoder, rows_per_layer: Sequence[float], recomputed: bool, low_precision: bool = False
) -> float:
    """Bytes that the decoder's layers keep for the backward pass.

    Without checkpointing: the input of every matrix product, of the norms and of the gate. With it: the input of
    each attention and each MLP, and everything of the layer that is being computed again.

    Args:
        llm: The language model.
        rows_per_layer: Rows of the whole batch that enter each layer, padding included.
        recomputed: Whether gradient checkpointing is on.
        low_precision: Whether matrix products are in a 16-bit type (the residual stream stays in the weights' type).
    """
    full = layer_bytes_per_row(llm.model.config, _element(llm), 2 if low_precision else _element(llm))
    if not recomputed:
        return sum(rows_per_layer) * full
    kept = 2 * llm.hidden_size * _element(llm)
    return sum(rows_per_layer) * kept + max(rows_per_layer) * full


def layer_bytes_per_row(config: Any, residual: int, element: int) -> float:
    """Bytes that one layer of Qwen2's layout keeps for one row.

    Args:
        config: The transformers config.
        residual: Bytes of a number of the residual stream.
        element: Bytes of a number in matrix products.
    """
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    queries, keys = config.num_attention_heads * head, config.num_key_value_heads * head
    casts = 5 if element < residual else 2  # autocast makes a copy for each of q, k, v, gate and up
    norms = config.hidden_size * (4 * residual + casts * element)  # inputs, normalised, and what the products take
    attention = element * (2 * queries + 2 * keys)  # rotated queries, keys, values, and the output
    return norms + attention + element * 4 * config.intermediate_size  # gate, its activation, up, their product


def logit_bytes(llm: HFDecoder, rows: float, low_precision: bool = False) -> float:
    """Bytes of the logits of ``rows`` labelled rows: as computed, and in float32 for the loss and its gradient."""
    return rows * llm.model.config.vocab_size * ((2 if low_precision else _element(llm)) + 8)


def cache_bytes(llm: HFDecoder, rows_per_layer: Sequence[float], element: int) -> float:
    """Bytes of the keys and values of one sample after the prefill."""
    config = llm.model.config
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return sum(rows_per_layer) * 2 * config.num_key_value_heads * head * element


def _element(llm: HFDecoder) -> int:
    dtype: torch.dtype = llm.model.dtype
    return dtype.itemsize


def _layers(model: nn.Module) -> list[nn.Module]:
    return [layer for part in model.modules() if isinstance(part, nn.ModuleList) for layer in part]


def _numel(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
