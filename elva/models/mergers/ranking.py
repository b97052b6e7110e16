"""Which rows a merger keeps that ranks them one by one: by the question's attention, or by any other score.

Legend: B batch, L rows.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from elva.models.attention.view import AttnView
from elva.structures import Kind, SequenceState

from .similarity import most_similar, visual_rows


def droppable(state: SequenceState) -> Tensor:
    """(B, L) bool: valid visual rows that may go: all but ``FRAME``, those without a place to merge at included."""
    return state.valid & state.visual & (state.kind != Kind.FRAME)


def keep_best(state: SequenceState, score_BL: Tensor, target_B: Tensor, protected_BL: Tensor | None = None) -> Tensor:
    """(B, L) bool: the rows that stay where ``target_B`` visual rows are to be left; the earlier wins a tie.

    Args:
        state: Its text and ``FRAME`` rows always stay; the latter count as visual rows.
        score_BL: (B, L) finite; the higher, the rather a row stays.
        target_B: (B,) long.
        protected_BL: (B, L) bool, further rows that stay whatever their score. Default: none.
    """
    goes_BL = droppable(state) if protected_BL is None else droppable(state) & ~protected_BL
    bound_B = visual_rows(state) - goes_BL.sum(1)
    best_BL = most_similar(score_BL.masked_fill(~goes_BL, float("-inf")), (target_B - bound_B).clamp(min=0))
    return best_BL | ~goes_BL


def question_attention(name: str, state: SequenceState, attn: AttnView | None) -> Tensor:
    """(B, L) attention that each sample's last text row gives, averaged over heads, in float32; no gradient flows.

    Args:
        name: The merger that asks, for messages.
        state: The rows.
        attn: The view of the layer whose attention is asked for.

    Raises:
        ValueError: If there is no view, or a sample has visual rows behind its last text row, which sees none of them.
    """
    if attn is None:
        raise ValueError(f"{name} ranks rows by attention: it needs a language model's view of the layer")
    with torch.no_grad():
        return attn.rows(_last_text_row(name, state)).mean(1).squeeze(1)


def check_layers(name: str, layers: Sequence[int], depth: int) -> None:
    """Raise ``ValueError`` if a language model of ``depth`` layers has none of the last of ``layers``."""
    if max(layers) >= depth:
        raise ValueError(
            f"{name}: acts at the layers {list(layers)}, but the language model has only {depth} (numbered from 0)"
        )


def _last_text_row(name: str, state: SequenceState) -> Tensor:
    rows_L = torch.arange(state.kind.shape[1], device=state.kind.device)
    text_B1 = torch.where(state.kind == Kind.TEXT, rows_L, -1).amax(1, keepdim=True)
    blind_B = (state.visual & state.valid & (rows_L > text_B1)).any(1)
    if blind_B.any():
        raise ValueError(
            f"{name} ranks visual rows by the attention of the text behind them, but samples "
            f"{blind_B.nonzero().flatten().tolist()} of this batch end with visual rows. Put the question behind the "
            "video, or take a merger that does not look at the question (to cache a video without one, for instance)."
        )
    return text_B1.clamp(min=0)
