"""How many floating-point operations a model needs, from shapes alone; a multiply-add counts as two.

Only matrix products are counted. Causal scores of L rows count as L x L products, as published tables count them,
though kernels may skip half of them.
"""

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from elva.models.llms import HFDecoder
from elva.models.teachers import Teacher
from elva.models.tokenizers import VideoTokenizer
from elva.structures import Clip, FramePlan

_CPU_ATTENTION = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


def decoder_flops(llm: HFDecoder, rows_per_layer: Sequence[float], logit_rows: int) -> dict[str, float]:
    """FLOPs of one forward pass over one sample, by part; add up the values for the whole.

    Equals ``sum over layers of 2 P N + 4 N^2 D`` plus the head, with P the weights of a layer's matrices and D the
    width of the queries. A layer is counted with one number of rows: for mergers that act between attention and MLP
    this is a little more than they need.

    Args:
        llm: The language model, of any weights; on the meta device too.
        rows_per_layer: Rows N that enter the attention of each layer (``Trace.tokens_per_layer()``, or a merger's
            ``schedule`` plus the text rows).
        logit_rows: Rows that the head is applied to: those with a label in training, 1 in a prefill.

    Returns:
        ``'attention'`` (projections and scores), ``'mlp'`` and ``'head'``.

    Raises:
        ValueError: If ``rows_per_layer`` has not one entry a layer.
    """
    if len(rows_per_layer) != llm.depth:
        raise ValueError(f"decoder_flops: {len(rows_per_layer)} entries in rows_per_layer, but {llm.depth} layers")
    attention = mlp = 0.0
    for (projections, inner, width), rows in zip(layer_weights(llm), rows_per_layer, strict=True):
        attention += 2 * rows * projections + 4 * rows**2 * width
        mlp += 2 * rows * inner
    return {"attention": attention, "mlp": mlp, "head": 2.0 * logit_rows * _matrix_weights(llm.model.lm_head)}


def layer_weights(llm: HFDecoder) -> list[tuple[int, int, int]]:
    """Of each layer: the weights of attention's matrices, those of the MLP's, and the width of all its queries."""
    config = llm.model.config
    head_width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    width = config.num_attention_heads * head_width
    return [(_matrix_weights(layer.self_attn), _matrix_weights(layer.mlp), width) for layer in llm.layers]


def tokenizer_flops(tokenizer: VideoTokenizer, plan: FramePlan, signals: Collection[str] = ()) -> float:
    """FLOPs of tokenizing one clip with this plan; works for every tokenizer, which is run on the meta device.

    Args:
        tokenizer: The tokenizer, with an encoder if it has one.
        plan: The frames.
        signals: What it is asked for beside the tokens.
    """
    shadow = copy.deepcopy(tokenizer).to("meta")
    pixels = tuple(torch.empty(len(t), 3, *size, device="meta") for size, t in plan.groups().items())
    return count_flops(shadow, [Clip(plan, pixels)], signals)


def teacher_flops(teacher: Teacher, frames: int) -> float:
    """FLOPs of a teacher's features of so many frames; 0 for teachers without a matrix product."""
    shadow = copy.deepcopy(teacher).to("meta")
    side = teacher.image_size
    return frames * count_flops(shadow, torch.empty(1, 1, 3, side, side, device="meta"))


def training_flops(forward: Mapping[str, float], recomputed: bool, frozen: Sequence[str] = ()) -> dict[str, float]:
    """FLOPs of forward and backward pass, by part.

    The backward pass costs twice the forward pass: once for the gradient of the inputs, once for that of the weights,
    which frozen parts do not need.

    Args:
        forward: FLOPs of the forward pass by part.
        recomputed: Whether gradient checkpointing runs the decoder's layers (``'attention'`` and ``'mlp'``) once more.
        frozen: Parts whose weights are not trained, but that the gradient passes through.
    """
    again = {"attention", "mlp"} if recomputed else set()
    return {part: flops * (3 - (part in frozen) + (part in again)) for part, flops in forward.items()}


@torch.no_grad()
def count_flops(function: Callable[..., Any], *args: Any) -> float:
    """FLOPs that PyTorch counts while ``function`` runs; meta tensors do nothing but be counted.

    Attention is counted in full, as here; on the CPU too, whose kernel PyTorch's counter does not know by itself.
    """
    with FlopCounterMode(display=False, custom_mapping={_CPU_ATTENTION: _attention_flops}) as counter:
        function(*args)
    return float(counter.get_total_flops())


def _attention_flops(query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...], *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


def _matrix_weights(module: Any) -> int:
    matrices: list[Tensor] = [part.weight for part in module.modules() if isinstance(part, nn.Linear)]
    return sum(matrix.numel() for matrix in matrices)
