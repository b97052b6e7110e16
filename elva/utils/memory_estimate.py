"""How much memory training needs, estimated from shapes.

What is counted: weights, gradients, the optimizer's state, what the decoder keeps for its backward pass, and the
logits. What is not: the tokenizer's activations (a few percent of the decoder's), the teacher's working memory, the
allocator's fragments, CUDA's context (about half a GiB), communication buffers.
"""

from collections.abc import Sequence
from typing import Any

from torch import nn

from elva.models.llms import HFDecoder


def state_bytes(
    model: nn.Module,
    moments: int = 2,
    low_precision: bool = False,
    shards: int = 1,
    units: Sequence[nn.Module] = (),
) -> dict[str, float]:
    """Bytes of weights, gradients and optimizer state on one device.

    Args:
        model: On any device.
        moments: Values that the optimizer keeps for each trained weight, in the weight's type: 2 for Adam.
        low_precision: Whether matrix products are in a 16-bit type: that needs a copy of weights of more bits.
        shards: Devices that weights, gradients and optimizer state are divided over (FSDP). Default: 1, each has all.
        units: Modules whose weights are collected one at a time where they are divided; two at a time are there, one
            in use and one on its way. What is in none of them is collected for the whole step.

    Returns:
        ``'weights'``, ``'copy to compute in'``, ``'gradients'``, ``'optimizer'``.
    """
    parameters = list(model.parameters())
    trained = sum(p.numel() * p.element_size() for p in parameters if p.requires_grad)
    if shards == 1:
        copied = sum(p.numel() for p in parameters if p.element_size() > 2) if low_precision else 0
    else:
        sizes = [sum(p.numel() for p in unit.parameters()) for unit in units]
        copied = sum(p.numel() for p in parameters) - sum(sizes) + 2 * max(sizes, default=0)
    element = 2 if low_precision else max((p.element_size() for p in parameters), default=0)
    return {
        "weights": sum(p.numel() * p.element_size() for p in parameters) / shards,
        "copy to compute in": float(copied * element),
        "gradients": trained / shards,
        "optimizer": moments * trained / shards,
    }


def activation_bytes(
    llm: HFDecoder, rows_per_layer: Sequence[float], recomputed: bool, residual: int = 4, element: int = 4
) -> float:
    """Bytes that the decoder's layers keep for the backward pass.

    Without checkpointing: the input of every matrix product, of the norms and of the gate. With it: the input of
    each attention and each MLP, and everything of the layer that is being computed again.

    Args:
        llm: The language model.
        rows_per_layer: Rows of the whole batch that enter each layer, padding included.
        recomputed: Whether gradient checkpointing is on.
        residual: Bytes of a number of the residual stream: as the embedding table gives it.
        element: Bytes of a number in matrix products.
    """
    full = layer_bytes_per_row(llm.model.config, residual, element)
    if not recomputed:
        return sum(rows_per_layer) * full
    return sum(rows_per_layer) * 2 * llm.hidden_size * residual + max(rows_per_layer) * full


def layer_bytes_per_row(config: Any, residual: int, element: int) -> float:
    """Bytes that one layer of Qwen2's layout keeps for one row.

    Args:
        config: The transformers config.
        residual: Bytes of a number of the residual stream.
        element: Bytes of a number in matrix products.
    """
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    queries, keys = config.num_attention_heads * head, config.num_key_value_heads * head
    norms = config.hidden_size * 2 * (4 + residual + element)  # they compute in float32; what they give is kept
    attention = element * (2 * queries + 2 * keys)  # rotated queries, keys, values, and the output
    return norms + attention + element * 4 * config.intermediate_size  # gate, its activation, up, their product


def logit_bytes(llm: HFDecoder, rows: float, element: int = 4) -> float:
    """Bytes of the logits of ``rows`` labelled rows: as computed, and in float32 for the loss and its gradient."""
    return rows * llm.model.config.vocab_size * (element + 8)


def cache_bytes(llm: HFDecoder, rows_per_layer: Sequence[float], element: int) -> float:
    """Bytes of the keys and values of one sample after the prefill."""
    config = llm.model.config
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return sum(rows_per_layer) * 2 * config.num_key_value_heads * head * element
