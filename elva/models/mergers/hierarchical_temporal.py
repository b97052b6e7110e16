"""ELVA's own merger: the same place in successive frames, in two steps; before them, if asked, blocks of a frame.

Legend: B batch, L rows.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from elva.models.attention.view import AttnView
from elva.registry import MERGERS
from elva.structures import SequenceState

from .base import Merger, Site, When, check_layers
from .blocks import alike_blocks
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

    With ``spatial`` above 1 the first site merges within each frame before it merges over time: blocks of ``spatial`` x
    ``spatial`` patches whose first patch has a cosine of at least ``tau`` with all others become that patch, the most
    alike first, as long as the site's share lasts; merging over time has what is left of it. A merged block then meets
    what stands at the place of its first patch in the next frame, block or patch, if they are alike. ``LINE`` rows stay
    where they are, so that the rows of patches, some of them shorter now, still end with one.

    Source: ELVA (arXiv 2503.18422), hierarchical token merging. Unpublished there and chosen here: the layers
    (two steps of 50 % at these reproduce the paper's FLOPs and memory) and the input of the cosine. Merging within a
    frame is ours.

    Args:
        layers: Merge before the attention of these layers; the first is the shallow step. Default: (2, 6), for a
            depth of 28; for other depths about depth/14 and depth/4.5.
        tau: Similarity from which the shallow step merges. Above 1 nothing is ever merged. Default: 0.6.
        ratio: Share of the visual rows that each step merges away. Default: 0.5.
        similarity: What the cosine is measured on, see :func:`~elva.models.mergers.similarity.metric`.
            Default: ``'normed'``.
        streaming: Give merged rows the latest rank of their members, for models that must not see the future.
            Default: False.
        spatial: Side, in patches, of the blocks that the first site merges within a frame; above 1 every frame must
            come with all the tokens of its grid. Default: 1, none.

    Raises:
        ValueError: If ``ratio`` is not in [0, 0.99], ``layers`` are not rising, or ``spatial`` is below 1 or above 1
            with ``similarity='keys'``.
    """

    identity = ({"ratio": 0.0}, {"tau": 1.1})

    def __init__(
        self,
        layers: Sequence[int] = (2, 6),
        tau: float = 0.6,
        ratio: float = 0.5,
        similarity: Similarity = "normed",
        streaming: bool = False,
        spatial: int = 1,
    ) -> None:
        super().__init__()
        if spatial < 1:
            raise ValueError(f"HierarchicalTemporalMerger: spatial={spatial} is the side of a block: 1 (none) or more")
        if spatial > 1 and similarity == "keys":
            raise ValueError(
                "HierarchicalTemporalMerger: with 'spatial' the first site merges twice, and the keys are those of the "
                "rows before: use similarity='normed' or 'raw'"
            )
        if list(layers) != sorted(set(layers)) or not layers:
            raise ValueError(f"HierarchicalTemporalMerger: layers={list(layers)} must rise, and name at least one")
        self.layers = tuple(layers)
        self.tau = tau
        self.ratio = check_ratio("HierarchicalTemporalMerger", ratio, most=0.99)
        self.similarity = similarity
        self.streaming = streaming
        self.spatial = spatial
        self.needs_grid = spatial > 1

    def sites(self, depth: int) -> Sequence[tuple[int, When]]:
        """Before the attention of each of ``layers``."""
        check_layers("HierarchicalTemporalMerger", self.layers, depth)
        return [(layer, "pre_attn") for layer in self.layers]

    def forward(self, state: SequenceState, site: Site, attn: AttnView | None = None) -> SequenceState:
        """Merge once; the share of pairs above ``tau`` is recorded as ``merge/share_layerNN``."""
        if self.ratio == 0 or self.tau > 1:
            return state
        stage = self.layers.index(site.layer) + 1
        with torch.no_grad():
            left_B = rows_left(original_visual_rows(state) if stage > 1 else visual_rows(state), self.ratio, stage)
        if stage == 1 and self.spatial > 1:
            state = state.fold(self._blocks(state, attn, left_B), latest=self.streaming)
        with torch.no_grad():
            order_BL, score_BL = successive_pairs(state, metric(state, attn, self.similarity))
            above_BL = score_BL >= self.tau
            if attn is not None:
                pairs = score_BL.isfinite().sum().clamp(min=1)
                attn.record(f"merge/share_layer{site.layer:02d}", above_BL.sum() / pairs)
            link_BL = most_similar(score_BL, (visual_rows(state) - left_B).clamp(min=0))
            into_BL = run_heads(order_BL, link_BL & above_BL if stage == 1 else link_BL)
        return state.fold(into_BL, latest=self.streaming)

    def schedule(self, n_visual: int, depth: int) -> list[int]:
        """Rows by layer if every step meets its target, as it does unless the shallow step finds too few pairs."""
        ratio = self.ratio if self.tau <= 1 else 0.0
        passed = [sum(layer >= site for site in self.layers) for layer in range(depth)]
        return [int(rows_left(torch.tensor(n_visual), ratio, stage)) for stage in passed]

    @torch.no_grad()
    def _blocks(self, state: SequenceState, attn: AttnView | None, left_B: Tensor) -> Tensor:
        """(B, L) long: the row of its block that each row joins."""
        if state.cell is None:
            raise ValueError(f"HierarchicalTemporalMerger: spatial={self.spatial} needs rows that know their cells")
        unit = metric(state, attn, self.similarity)
        return alike_blocks(state, unit, self.spatial, self.tau, visual_rows(state) - left_B)
