"""The half of HoliTom that works inside the language model: rows that the question hardly looks at fold into others.

Legend: B batch, L rows, E rows that go and F rows that stay (both of one kind, and padded).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from elva.models.attention.view import AttnView
from elva.registry import MERGERS
from elva.structures import Kind, SequenceState

from .base import Merger, Site, When, check_layers
from .bipartite import Deal, most_alike
from .ranking import check_ranked, keep_best, question_attention, rows_by_layer
from .similarity import Metric, check_ratio, metric, rows_left, visual_rows


@MERGERS.register_module()
class HoliTomInner(Merger):
    """Chooses rows as FastV does, but deep inside, and folds each row that goes into the most similar one that stays.

    Source: HoliTom (arXiv 2505.21334), inner-LLM merging. Differences: the published code folds one row after another,
    ``(kept + dropped) / 2`` each time, so that the result depends on their order and the last counts most; here a row
    becomes the mean of all that it stands for, weighted by size. Similarity is the cosine of the rows through the
    layer's input norm, not of the raw ones. A row only joins one of its own kind, of which the best always stays;
    ``FRAME`` rows, and rows without a place to merge at, stay as well.

    Args:
        layer: The first layer that runs without the rows folded; at least 1. Default: 18 (of 28).
        ratio: Share of the visual rows that is folded. Default: 0.5.
        streaming: Give merged rows the latest rank of their members. Default: False.

    Raises:
        ValueError: If ``ratio`` is not in [0, 0.99], or no layer stands before ``layer``.
    """

    identity = ({"ratio": 0.0},)

    def __init__(self, layer: int = 18, ratio: float = 0.5, streaming: bool = False) -> None:
        super().__init__()
        self.layer = check_ranked("HoliTomInner", layer)
        self.ratio = check_ratio("HoliTomInner", ratio, most=0.99)
        self.streaming = streaming

    def sites(self, depth: int) -> Sequence[tuple[int, When]]:
        """After the layer before ``layer``, whose attention it needs."""
        check_layers("HoliTomInner", [self.layer], depth)
        return [(self.layer - 1, "post_layer")]

    def forward(self, state: SequenceState, site: Site, attn: AttnView | None = None) -> SequenceState:
        """Fold ``ratio`` of the visual rows.

        Raises:
            ValueError: If a sample has visual rows and no text behind them.
        """
        del site
        if self.ratio == 0:
            return state
        with torch.no_grad():
            score_BL = question_attention("HoliTomInner", state, attn)
            stays_BL = ~state.mergeable | best_of_each_kind(score_BL, state)
            keep_BL = keep_best(state, score_BL, rows_left(visual_rows(state), self.ratio), stays_BL)
            into_BL = into_most_similar(metric(state, attn, "normed"), keep_BL, state)
        return state.fold(into_BL, latest=self.streaming)

    def schedule(self, n_visual: int, depth: int) -> list[int]:
        """All rows up to ``layer``, then what is left."""
        return rows_by_layer([self.layer], self.ratio, n_visual, depth)


def best_of_each_kind(score_BL: Tensor, state: SequenceState) -> Tensor:
    """(B, L) bool: the mergeable row with the highest score of each kind, so that every row has one to join."""
    best_BL = torch.zeros_like(state.valid)
    for kind in (Kind.PATCH, Kind.LINE):
        own_BL = state.mergeable & (state.kind == kind)
        at_B1 = score_BL.masked_fill(~own_BL, float("-inf")).argmax(1, keepdim=True)
        best_BL |= own_BL & torch.zeros_like(best_BL).scatter(1, at_B1, True)
    return best_BL


def into_most_similar(unit: Metric, keep_BL: Tensor, state: SequenceState) -> Tensor:
    """(B, L) long: the most similar mergeable row of its kind that stays, for each row that does not; else itself.

    Args:
        unit: Gives the unit vectors of rows, see :func:`~elva.models.mergers.similarity.metric`.
        keep_BL: (B, L) bool, with at least one row of each kind of which rows go.
        state: The rows.
    """
    length = keep_BL.shape[1]
    into_BL = torch.arange(length, device=keep_BL.device).expand(keep_BL.shape)
    for kind in (Kind.PATCH, Kind.LINE):
        goes_BL = state.valid & ~keep_BL & (state.kind == kind)
        stays_BL = state.mergeable & keep_BL & (state.kind == kind)
        from_BE, to_BF = _rows_where(goes_BL), _rows_where(stays_BL)
        if not from_BE.shape[1]:
            continue
        # in samples that have fewer the last row that stays stands again: others must not be joined
        place_F = torch.arange(to_BF.shape[1], device=to_BF.device)
        to_BF = to_BF.gather(1, torch.minimum(place_F, (stays_BL.sum(1, keepdim=True) - 1).clamp(min=0)))
        _, partner_BE = most_alike(unit, Deal(from_BE, goes_BL.gather(1, from_BE), to_BF), length, window=None)
        into_BL = torch.where(goes_BL, into_BL.scatter(1, from_BE, partner_BE), into_BL)
    return into_BL


def _rows_where(which_BL: Tensor) -> Tensor:
    """(B, N) long: the rows where ``which_BL``, and others behind them in samples that have fewer."""
    return (~which_BL).long().argsort(dim=1, stable=True)[:, : int(which_BL.sum(1).max())]
