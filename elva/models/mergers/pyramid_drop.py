"""PyramidDrop: fewer visual rows from stage to stage, ranked anew at each.

Legend: B batch, L rows.
"""

from collections.abc import Sequence

import torch

from elva.models.attention.view import AttnView
from elva.registry import MERGERS
from elva.structures import SequenceState

from .base import Merger, Site, When, check_layers
from .ranking import keep_best, question_attention
from .similarity import check_ratio, rows_left, visual_rows


@MERGERS.register_module()
class PyramidDrop(Merger):
    r"""Keeps :math:`(1 - ratio)^{stage}` of the original visual rows, those that the last text row attends to most.

    The attention is that of the layer about to run: its input norm, queries and keys.

    Source: PyramidDrop (arXiv 2410.17247); the published shares 0.5, 0.25 and 0.125 are ``ratio=0.5``. Differences:
    rows keep their original positions (the published code renumbers them, and with them every later token, stage by
    stage, so that a decoding step would have another position in each stretch of layers); ``FRAME`` rows always stay;
    what is left is rounded up, not down.

    Args:
        layers: Drop before the attention of these layers, one a stage. Default: (8, 16, 24), for a depth of 32; for
            others the quarters of the depth.
        ratio: Share of the visual rows that each stage drops. Default: 0.5.

    Raises:
        ValueError: If ``ratio`` is not in [0, 0.99], or ``layers`` do not rise.
    """

    identity = ({"ratio": 0.0},)

    def __init__(self, layers: Sequence[int] = (8, 16, 24), ratio: float = 0.5) -> None:
        super().__init__()
        if list(layers) != sorted(set(layers)) or not layers:
            raise ValueError(f"PyramidDrop: layers={list(layers)} must rise, and name at least one")
        self.layers = tuple(layers)
        self.ratio = check_ratio("PyramidDrop", ratio, most=0.99)

    def sites(self, depth: int) -> Sequence[tuple[int, When]]:
        """Before the attention of each of ``layers``."""
        check_layers("PyramidDrop", self.layers, depth)
        return [(layer, "pre_attn") for layer in self.layers]

    def forward(self, state: SequenceState, site: Site, attn: AttnView | None = None) -> SequenceState:
        """Drop down to the share of this stage.

        Raises:
            ValueError: If a sample has visual rows and no text behind them.
        """
        if self.ratio == 0:
            return state
        with torch.no_grad():
            original_B = state.memo.get("PyramidDrop")  # the first stage has seen what later ones no longer can
            original_B = visual_rows(state) if original_B is None else original_B
            target_B = rows_left(original_B, self.ratio, stage=self.layers.index(site.layer) + 1)
            keep_BL = keep_best(state, question_attention("PyramidDrop", state, attn), target_B)
        return state.select(keep_BL).replace(memo={**state.memo, "PyramidDrop": original_B})

    def schedule(self, n_visual: int, depth: int) -> list[int]:
        """The share of its stage for each layer."""
        passed = [sum(layer >= site for site in self.layers) for layer in range(depth)]
        return [int(rows_left(torch.tensor(n_visual), self.ratio, stage)) for stage in passed]
