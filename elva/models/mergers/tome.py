"""Token Merging, with the order of the sequence kept.

Legend: B batch, L rows.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from elva.models.attention.view import AttnView
from elva.registry import MERGERS
from elva.structures import SequenceState

from .base import Merger, Site, When, check_layers
from .bipartite import bipartite_matching
from .similarity import Similarity, check_ratio, metric, rows_left, visual_rows


@MERGERS.register_module()
class ToMe(Merger):
    """Token Merging: every other visual row may join its most similar counterpart, wherever that stands.

    The mergeable rows of each kind are dealt out in turn to two sets; each row of the first finds its most similar row
    of the second, and the most similar pairs are merged, the mean weighted by size. That compares every row with half
    of the others, which long clips feel; with a ``window`` it does not.

    Source: Token Merging: Your ViT But Faster (arXiv 2210.09461), section 3. The published code returns the unmerged
    rows first and the destinations after them, which is of no use to a causal model: here the surviving rows keep
    their order. The published ``r`` rows a layer are ``rows`` here, beside a share of the visual rows, which fits clips
    of any length. The window is ours.

    Args:
        layers: Merge after the attention of these layers. Default: (2, 6).
        ratio: Share of the visual rows merged away at each; at most half can be. Default: 0.5.
        similarity: As published, attention keys averaged over heads. Default: ``'keys'``.
        streaming: Give merged rows the latest rank of their members. Default: False.
        rows: Merge away at most so many rows at each. Default: as many as ``ratio`` says.
        window: Look for partners only among the rows of the same kind at most this many before or behind, which costs
            O(rows x window) instead of O(rows²). With 12 x 12 patches a frame, 288 reach two frames back and ahead.
            Default: look among all rows.

    Raises:
        ValueError: If ``ratio`` is not in [0, 0.5], or ``rows`` or ``window`` are less than 1.
    """

    identity = ({"ratio": 0.0},)

    def __init__(
        self,
        layers: Sequence[int] = (2, 6),
        ratio: float = 0.5,
        similarity: Similarity = "keys",
        streaming: bool = False,
        rows: int | None = None,
        window: int | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("rows", rows), ("window", window)):
            if value is not None and value < 1:
                raise ValueError(f"ToMe: {name}={value} is a number of rows: give at least 1, or leave it out")
        self.layers = tuple(layers)
        self.ratio = check_ratio("ToMe", ratio, most=0.5)
        self.similarity = similarity
        self.streaming = streaming
        self.rows = rows
        self.window = window

    def sites(self, depth: int) -> Sequence[tuple[int, When]]:
        """After the attention, before the MLP, of each of ``layers``."""
        check_layers("ToMe", self.layers, depth)
        return [(layer, "post_attn") for layer in self.layers]

    def forward(self, state: SequenceState, site: Site, attn: AttnView | None = None) -> SequenceState:
        """Merge ``ratio`` of the visual rows, at most ``rows``."""
        del site
        if self.ratio == 0:
            return state
        with torch.no_grad():
            now_B = visual_rows(state)
            unit = metric(state, attn, self.similarity)
            into_BL = bipartite_matching(unit, state.mergeable, state.kind, now_B - self._left(now_B), self.window)
        return state.fold(into_BL, latest=self.streaming)

    def schedule(self, n_visual: int, depth: int) -> list[int]:
        """A layer merges after its attention, so fewer rows enter the next one."""
        rows = []
        for layer in range(depth):
            rows.append(n_visual)
            if layer in self.layers:
                n_visual = int(self._left(torch.tensor(n_visual)))
        return rows

    def _left(self, rows_B: Tensor) -> Tensor:
        left_B = rows_left(rows_B, self.ratio)
        return left_B if self.rows is None else torch.maximum(left_B, rows_B - self.rows)
