"""On what mergers measure how alike two rows are.

Legend: B batch, L rows, C channels, K pairs.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from elva.models.attention.view import AttnView
from elva.structures import SequenceState

Similarity = Literal["normed", "raw", "keys"]


def metric(state: SequenceState, attn: AttnView | None, kind: Similarity) -> Tensor:
    """(B, L, C) unit vectors in float32 whose dot product is the similarity of two rows; no gradient flows.

    Args:
        state: The rows.
        attn: The layer's view; without one (outside a model) the rows are taken as they are.
        kind: ``'normed'``: the rows through the layer's input norm (raw residual streams have a few huge channels that
            push every cosine to 1); ``'raw'``: the rows themselves; ``'keys'``: attention keys, mean over heads (ToMe).
    """
    with torch.no_grad():
        if attn is None or kind == "raw":
            x = state.h
        elif kind == "normed":
            x = attn.normed_BLC
        else:
            x = attn.keys_BLD
        return F.normalize(x.detach().float(), dim=-1)


def most_similar(score_BK: Tensor, count_B: Tensor) -> Tensor:
    """(B, K) bool: the ``count_B[b]`` highest finite scores of each sample; the earlier wins a tie."""
    order = score_BK.argsort(dim=1, descending=True, stable=True)
    place = torch.empty_like(order).scatter_(1, order, torch.arange(order.shape[1]).to(order).expand_as(order))
    return (place < count_B[:, None]) & score_BK.isfinite()


def check_ratio(name: str, ratio: float, most: float) -> float:
    """Return ``ratio``, or raise ``ValueError`` if it is not in [0, ``most``]."""
    if not 0 <= ratio <= most:
        raise ValueError(f"{name}: ratio={ratio} is the share of visual rows merged away: give 0 to {most}")
    return ratio


def original_visual_rows(state: SequenceState) -> Tensor:
    """(B,) how many rows of the assembled sequence the visual rows of now stand for."""
    counts_BL = state.src.counts(state.kind.shape[1])
    return (counts_BL * (state.visual & state.valid)).sum(1)
