"""ELVA's own merger: the same place in successive frames, in two steps.

Legend: B batch, L rows.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from elva.models.attention.view import AttnView
from elva.registry import MERGERS
from elva.structures import SequenceState

from .base import Merger, Site, When
from .runs import run_heads, successive_pairs
from .similarity import (
    Similarity,
    check_ratio,
    metric,
    most_similar,
    original_visual_rows,
    rows_left,
    visual_rows,
)


@MERGERS.register_module()
class HierarchicalTemporalMerger(Merger):
    r"""Merges each row into its predecessor at the same place where the two are alike.

    With :math:`s_{ij} = \cos(f_{i,j}, f_{i+1,j})` for place :math:`j` of successive frames: the first site merges the
    pairs with :math:`s \ge \tau`, at most ``ratio`` of the visual rows; each later site merges the most similar pairs
    until the cumulative target :math:`(1 - ratio)^{stage}` is met, whatever their similarity. Runs of merged pairs
    become one row, the mean weighted by size, in the place of the earliest. ``FRAME`` rows always stay.

    Source: ELVA (arXiv 2503.18422), hierarchical token merging. Unpublished there and chosen here: the layers
    (two steps of 50 % at these reproduce the paper's FLOPs and memory) and the input of the cosine.

    Args:
        layers: Merge before the attention of these layers; the first is the shallow step. Default: (2, 6), for a
            depth of 28; for other depths about depth/14 and depth/4.5.
        tau: Similarity from which the shallow step merges. Above 1 nothing is ever merged. Default: 0.6.
        ratio: Share of the visual rows that each step merges away. Default: 0.5.
        similarity: What the cosine is measured on, see :func:`~elva.models.mergers.similarity.metric`.
            Default: ``'normed'``.
        streaming: Give merged rows the latest rank of their members, for models that must not see the future.
            Default: False.

    Raises:
        ValueError: If ``ratio`` is not in [0, 0.99], or ``layers`` are not rising.
    """

    identity = ({"ratio": 0.0}, {"tau": 1.1})

    def __init__(
        self,
        layers: Sequence[int] = (2, 6),
        tau: float = 0.6,
        ratio: float = 0.5,
        similarity: Similarity = "normed",
        streaming: bool = False,
    ) -> None:
        super().__init__()
        if list(layers) != sorted(set(layers)) or not layers:
            raise ValueError(f"HierarchicalTemporalMerger: layers={list(layers)} must rise, and name at least one")
        self.layers = tuple(layers)
        self.tau = tau
        self.ratio = check_ratio("HierarchicalTemporalMerger", ratio, most=0.99)
        self.similarity = similarity
        self.streaming = streaming

    def sites(self, depth: int) -> Sequence[tuple[int, When]]:
        """Before the attention of each of ``layers``."""
        if self.layers[-1] >= depth:
            raise ValueError(
                f"HierarchicalTemporalMerger: layers={list(self.layers)}, but the language model has only {depth} "
                "(numbered from 0)"
            )
        return [(layer, "pre_attn") for layer in self.layers]

    def forward(self, state: SequenceState, site: Site, attn: AttnView | None = None) -> SequenceState:
        """Merge once; the share of pairs above ``tau`` is recorded as ``merge/share_layerNN``."""
        if self.ratio == 0 or self.tau > 1:
            return state
        with torch.no_grad():
            order_BL, score_BL = successive_pairs(state, metric(state, attn, self.similarity))
            above_BL = score_BL >= self.tau
            if attn is not None:
                pairs = score_BL.isfinite().sum().clamp(min=1)
                attn.record(f"merge/share_layer{site.layer:02d}", above_BL.sum() / pairs)
            link_BL = self._links(state, score_BL, above_BL, stage=self.layers.index(site.layer) + 1)
            into_BL = run_heads(order_BL, link_BL)
        return state.fold(into_BL, latest=self.streaming)

    def schedule(self, n_visual: int, depth: int) -> list[int]:
        """Rows by layer if every step meets its target, as it does unless the shallow step finds too few pairs."""
        ratio = self.ratio if self.tau <= 1 else 0.0
        passed = [sum(layer >= site for site in self.layers) for layer in range(depth)]
        return [int(rows_left(torch.tensor(n_visual), ratio, stage)) for stage in passed]

    def _links(self, state: SequenceState, score_BL: Tensor, above_BL: Tensor, stage: int) -> Tensor:
        now_B = visual_rows(state)
        if stage == 1:
            return above_BL & most_similar(score_BL, now_B - rows_left(now_B, self.ratio))
        target_B = rows_left(original_visual_rows(state), self.ratio, stage)
        return most_similar(score_BL, (now_B - target_B).clamp(min=0))
