"""FastV: after the first layers, the visual rows that the question hardly looks at go.

Legend: B batch, L rows.
"""

from collections.abc import Sequence

import torch

from elva.models.attention.view import AttnView
from elva.registry import MERGERS
from elva.structures import SequenceState

from .base import Merger, Site, When, check_layers
from .ranking import check_ranked, keep_best, question_attention, rows_by_layer
from .similarity import check_ratio, rows_left, visual_rows


@MERGERS.register_module()
class FastV(Merger):
    r"""Keeps the visual rows that the last text row attends to most in the layer before ``layer``; needs no training.

    With :math:`f(n) = 4nd^2 + 2n^2d + 2ndm` operations a layer of width :math:`d` and inner width :math:`m`, ``n``
    visual rows cost :math:`K f(n) + (D - K) f((1 - ratio) n)` of :math:`D f(n)`.

    Source: An Image is Worth 1/2 Tokens After Layer 2 (arXiv 2403.06764). Differences: ``FRAME`` rows always stay, and
    what is left is rounded up rather than to the nearest number. As published, rows keep their original positions.

    Args:
        layer: The first layer that runs without the rows dropped; at least 1. Default: 2.
        ratio: Share of the visual rows that is dropped. Default: 0.5.

    Raises:
        ValueError: If ``ratio`` is not in [0, 0.99], or no layer stands before ``layer``.
    """

    identity = ({"ratio": 0.0},)

    def __init__(self, layer: int = 2, ratio: float = 0.5) -> None:
        super().__init__()
        self.layer = check_ranked("FastV", layer)
        self.ratio = check_ratio("FastV", ratio, most=0.99)

    def sites(self, depth: int) -> Sequence[tuple[int, When]]:
        """After the layer before ``layer``, whose attention it needs."""
        check_layers("FastV", [self.layer], depth)
        return [(self.layer - 1, "post_layer")]

    def forward(self, state: SequenceState, site: Site, attn: AttnView | None = None) -> SequenceState:
        """Drop ``ratio`` of the visual rows.

        Raises:
            ValueError: If a sample has visual rows and no text behind them.
        """
        del site
        if self.ratio == 0:
            return state
        with torch.no_grad():
            score_BL = question_attention("FastV", state, attn)
            keep_BL = keep_best(state, score_BL, rows_left(visual_rows(state), self.ratio))
        return state.select(keep_BL)

    def schedule(self, n_visual: int, depth: int) -> list[int]:
        """All rows up to ``layer``, then what is left."""
        return rows_by_layer([self.layer], self.ratio, n_visual, depth)
