"""On what mergers measure how alike two rows are, and how many rows a share of them is.

Legend: B batch, L rows, C channels, K pairs, R rows asked for.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from elva.models.attention.view import AttnView
from elva.structures import SequenceState

Similarity = Literal["normed", "raw", "keys"]
Metric = Callable[[Tensor], Tensor]


def metric(state: SequenceState, attn: AttnView | None, kind: Similarity) -> Metric:
    """A function from row numbers (R,), counted through the batch, to unit vectors (R, C) in float32.

    The dot product of two of them is the similarity of the two rows. No gradient flows.

    Args:
        state: The rows.
        attn: The layer's view; without one (outside a model) the rows are taken as they are.
        kind: ``'normed'``: the rows through the layer's input norm (raw residual streams have a few huge channels that
            push every cosine to 1); ``'raw'``: the rows themselves; ``'keys'``: attention keys, mean over heads (ToMe).
    """
    with torch.no_grad():
        x = attn.keys_BLD if attn is not None and kind == "keys" else state.h
        norm = attn.norm if attn is not None and kind == "normed" else torch.nn.Identity()
        flat = x.detach().flatten(0, 1)

    def unit(rows_R: Tensor) -> Tensor:
        with torch.no_grad():
            x_RC = norm(flat.index_select(0, rows_R)).float()
            return x_RC.div_(x_RC.norm(dim=-1, keepdim=True).clamp_(min=1e-12))  # in place: nobody else holds the rows

    return unit


def most_similar(score_BK: Tensor, count_B: Tensor) -> Tensor:
    """(B, K) bool: the ``count_B[b]`` highest finite scores of each sample; the earlier wins a tie."""
    order = score_BK.argsort(dim=1, descending=True, stable=True)
    place_K = torch.arange(order.shape[1], device=order.device)
    place = torch.empty_like(order).scatter_(1, order, place_K.expand_as(order))
    return (place < count_B[:, None]) & score_BK.isfinite()


def check_ratio(name: str, ratio: float, most: float) -> float:
    """Return ``ratio``, or raise ``ValueError`` if it is not in [0, ``most``]."""
    if not 0 <= ratio <= most:
        raise ValueError(f"{name}: ratio={ratio} is the share of visual rows taken away: give 0 to {most}")
    return ratio


def rows_left(rows_B: Tensor, ratio: float, stage: int = 1) -> Tensor:
    """(B,) long: what is left of ``rows_B`` after ``stage`` steps that take the share ``ratio`` each, rounded up.

    In float64, and forgiving its last digits: 0.8 * 0.8 of 100 rows are 64 rows, not 65.
    """
    return ((1 - ratio) ** stage * rows_B.double() - 1e-6).ceil().long()


def visual_rows(state: SequenceState) -> Tensor:
    """(B,) long: visual rows of now."""
    return (state.visual & state.valid).sum(1)


def original_visual_rows(state: SequenceState) -> Tensor:
    """(B,) long: how many rows of the assembled sequence the visual rows of now stand for."""
    counts_BL = state.src.counts(state.kind.shape[1])
    return (counts_BL * (state.visual & state.valid)).sum(1)
