"""ToMe's bipartite matching, with the order of the sequence kept.

Legend: B batch, L rows, P mergeable rows (padded), E edges.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from elva.models.attention.view import AttnView
from elva.registry import MERGERS
from elva.structures import SequenceState

from .base import Merger, Site, When
from .similarity import Metric, Similarity, check_ratio, metric, most_similar, rows_left, visual_rows

_BLOCK = 2**24
"""Scores held at a time: their number grows with the square of the rows."""


@MERGERS.register_module()
class ToMe(Merger):
    """Token Merging: every other visual row may join its most similar counterpart, wherever that stands.

    The mergeable rows are dealt out in turn to two sets; each row of the first finds its most similar row of the
    second, and the most similar pairs are merged, the mean weighted by size. Rows of different kinds never pair.

    Source: Token Merging: Your ViT But Faster (arXiv 2210.09461), section 3. The published code returns the unmerged
    rows first and the destinations after them, which is of no use to a causal model: here the surviving rows keep
    their order. The published ``r`` rows a layer are a share of the visual rows here, so that clips of any length fit.

    Args:
        layers: Merge after the attention of these layers. Default: (2, 6).
        ratio: Share of the visual rows merged away at each; at most half can be. Default: 0.5.
        similarity: As published, attention keys averaged over heads. Default: ``'keys'``.
        streaming: Give merged rows the latest rank of their members. Default: False.

    Raises:
        ValueError: If ``ratio`` is not in [0, 0.5].
    """

    identity = ({"ratio": 0.0},)

    def __init__(
        self,
        layers: Sequence[int] = (2, 6),
        ratio: float = 0.5,
        similarity: Similarity = "keys",
        streaming: bool = False,
    ) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.ratio = check_ratio("ToMe", ratio, most=0.5)
        self.similarity = similarity
        self.streaming = streaming

    def sites(self, depth: int) -> Sequence[tuple[int, When]]:
        """After the attention, before the MLP, of each of ``layers``."""
        if max(self.layers) >= depth:
            raise ValueError(f"ToMe: layers={list(self.layers)}, but the language model has only {depth}")
        return [(layer, "post_attn") for layer in self.layers]

    def forward(self, state: SequenceState, site: Site, attn: AttnView | None = None) -> SequenceState:
        """Merge ``ratio`` of the visual rows."""
        del site
        if self.ratio == 0:
            return state
        with torch.no_grad():
            now_B = visual_rows(state)
            most_B = now_B - rows_left(now_B, self.ratio)
            into_BL = bipartite_matching(metric(state, attn, self.similarity), state.mergeable, state.kind, most_B)
        return state.fold(into_BL, latest=self.streaming)

    def schedule(self, n_visual: int, depth: int) -> list[int]:
        """A layer merges after its attention, so fewer rows enter the next one."""
        rows = []
        for layer in range(depth):
            rows.append(n_visual)
            if layer in self.layers:
                n_visual = int(rows_left(torch.tensor(n_visual), self.ratio))
        return rows


def bipartite_matching(unit: Metric, mergeable_BL: Tensor, kind_BL: Tensor, most_B: Tensor) -> Tensor:
    """(B, L) long: the row that each row joins; it names itself if it stays.

    Args:
        unit: Gives the unit vectors of rows, see :func:`~elva.models.mergers.similarity.metric`.
        mergeable_BL: (B, L) bool; only these take part.
        kind_BL: (B, L) long; pairs are of one kind.
        most_B: (B,) long, how many rows to merge.
    """
    batch, length = mergeable_BL.shape
    rows_BL = torch.arange(length, device=mergeable_BL.device).expand(batch, -1)
    order_BP = (~mergeable_BL).long().argsort(dim=1, stable=True)[:, : int(mergeable_BL.sum(1).max())]
    if order_BP.shape[1] < 2:
        return rows_BL.clone()
    from_BE, to_BF = order_BP[:, 0::2], order_BP[:, 1::2]
    first_B1 = torch.arange(batch, device=rows_BL.device)[:, None] * length
    kind_BL = kind_BL.masked_fill(~mergeable_BL, -1)
    to_BFC, to_kind_BF = unit((to_BF + first_B1).flatten()).unflatten(0, to_BF.shape), kind_BL.gather(1, to_BF)
    best, partner = [], []
    for some_BE in from_BE.split(max(1, _BLOCK // to_BF.numel()), dim=1):
        from_BEC = unit((some_BE + first_B1).flatten()).unflatten(0, some_BE.shape)
        with torch.autocast(from_BEC.device.type, enabled=False):
            score_BEF = from_BEC @ to_BFC.transpose(1, 2)
        kind_BE1 = kind_BL.gather(1, some_BE)[..., None]
        fits_BEF = (kind_BE1 == to_kind_BF[:, None, :]) & (kind_BE1 >= 0)
        best_BE, at_BE = score_BEF.masked_fill_(~fits_BEF, float("-inf")).max(-1)
        best.append(best_BE)
        partner.append(to_BF.gather(1, at_BE))
    moves_BE = most_similar(torch.cat(best, 1), most_B)
    return rows_BL.scatter(1, from_BE, torch.where(moves_BE, torch.cat(partner, 1), from_BE))
