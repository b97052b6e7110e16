"""What mergers share that rank rows one by one, by the question's attention or by any other score, and drop some.

Legend: B batch, L rows, R rows of a question.
"""

from collections.abc import Collection

import torch
from torch import Tensor

from elva.models.attention.view import AttnView
from elva.structures import ASKS, Kind, SequenceState

from .similarity import most_similar, rows_left, visual_rows


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


def question_attention(name: str, state: SequenceState, attn: AttnView | None, asked_B: Tensor | None = None) -> Tensor:
    """(B, L) attention that each sample's question gives, averaged over heads, in float32; no gradient flows.

    The question's row is the one that the answer follows: the last text row, unless training, where answers stand
    behind it, has left the rows that answers follow in the memo. Of several the mean counts.

    Args:
        name: The merger that asks, for messages.
        state: The rows.
        attn: The view of the layer whose attention is asked for.
        asked_B: (B,) bool, the samples that are asked; the others may be without a question. Default: all.

    Raises:
        ValueError: If there is no view, or a sample that is asked has visual rows behind its last text row, which
            sees none of them.
    """
    if attn is None:
        raise ValueError(f"{name} ranks rows by attention: it needs a language model's view of the layer")
    with torch.no_grad():
        index_BR, share_BR = _question_rows(name, state, asked_B)
        return (attn.rows(index_BR).mean(1) * share_BR[..., None]).sum(1)


def check_ranked(name: str, layer: int) -> int:
    """Return ``layer``, or raise ``ValueError`` if there is no layer before it whose attention could rank its rows."""
    if layer < 1:
        raise ValueError(f"{name}: layer={layer}, but it ranks by the attention of the layer before it")
    return layer


def rows_by_layer(layers: Collection[int], ratio: float, n_visual: int, depth: int) -> list[int]:
    """Visual rows of each layer if each of ``layers`` runs without the share ``ratio`` of those that the last had."""
    rows = []
    for layer in range(depth):
        if layer in layers:
            n_visual = int(rows_left(torch.tensor(n_visual), ratio))
        rows.append(n_visual)
    return rows


def _question_rows(name: str, state: SequenceState, asked_B: Tensor | None) -> tuple[Tensor, Tensor]:
    """(B, R) long, the rows whose attention counts; (B, R) float, the share of each, 0 on padding."""
    rows_L = torch.arange(state.kind.shape[1], device=state.kind.device)

    def last(which_BL: Tensor) -> Tensor:
        return torch.where(which_BL, rows_L, -1).amax(1, keepdim=True)

    text_B1, visual_B1 = last(state.kind == Kind.TEXT), last(state.visual & state.valid)
    asks_BL = rows_L == text_B1
    if ASKS in state.memo:
        told_BL = state.src.gather(state.memo[ASKS].long(), len(rows_L), 0) > 0
        asks_BL = torch.where(last(told_BL) > visual_B1, told_BL, asks_BL)
    blind_B = (visual_B1 > text_B1).squeeze(1)
    if asked_B is not None:
        blind_B = blind_B & asked_B
    blind, most = torch.stack((blind_B.sum(), asks_BL.sum(1).max())).tolist()  # one synchronisation
    if blind:
        raise ValueError(
            f"{name} ranks visual rows by the attention of the text behind them, but samples "
            f"{blind_B.nonzero().flatten().tolist()} of this batch end with visual rows. Put the question behind the "
            "video, or take a merger that does not look at the question (to cache a video without one, for instance)."
        )
    share_BR, index_BR = asks_BL.float().sort(dim=1, descending=True, stable=True)
    share_BR = share_BR[:, :most] / share_BR.sum(1, keepdim=True).clamp(min=1)
    return index_BR[:, :most], share_BR
