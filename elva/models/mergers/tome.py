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
from .similarity import Similarity, check_ratio, metric, most_similar


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
            unit = metric(state, attn, self.similarity)
            most_B = (self.ratio * (state.visual & state.valid).sum(1)).floor().long()
            into_BL = bipartite_matching(unit, state.mergeable, state.kind, most_B)
        return state.fold(into_BL, latest=self.streaming)

    def schedule(self, n_visual: int, depth: int) -> list[int]:
        """A layer merges after its attention, so fewer rows enter the next one."""
        rows = []
        for layer in range(depth):
            rows.append(n_visual)
            if layer in self.layers:
                n_visual -= int(self.ratio * n_visual)
        return rows


def bipartite_matching(unit_BLC: Tensor, mergeable_BL: Tensor, kind_BL: Tensor, most_B: Tensor) -> Tensor:
    """(B, L) long: the row that each row joins; it names itself if it stays.

    Args:
        unit_BLC: (B, L, C) unit vectors.
        mergeable_BL: (B, L) bool; only these take part.
        kind_BL: (B, L) long; pairs are of one kind.
        most_B: (B,) long, how many rows to merge.
    """
    rows_BL = torch.arange(unit_BLC.shape[1], device=unit_BLC.device).expand(unit_BLC.shape[:2])
    order_BP = (~mergeable_BL).long().argsort(dim=1, stable=True)[:, : int(mergeable_BL.sum(1).max())]
    if order_BP.shape[1] < 2:
        return rows_BL.clone()
    from_BE, to_BF = order_BP[:, 0::2], order_BP[:, 1::2]
    score_BEF = _rows(unit_BLC, from_BE) @ _rows(unit_BLC, to_BF).transpose(1, 2)
    kind_BL = kind_BL.masked_fill(~mergeable_BL, -1)
    from_kind, to_kind = kind_BL.gather(1, from_BE)[:, :, None], kind_BL.gather(1, to_BF)[:, None, :]
    fits = (from_kind == to_kind) & (from_kind >= 0)
    best_BE, partner_BE = score_BEF.masked_fill_(~fits, float("-inf")).max(-1)
    moves_BE = most_similar(best_BE, most_B)
    target_BE = torch.where(moves_BE, to_BF.gather(1, partner_BE), from_BE)
    return rows_BL.scatter(1, from_BE, target_BE)


def _rows(x_BLC: Tensor, at_BE: Tensor) -> Tensor:
    return x_BLC.gather(1, at_BE[..., None].expand(-1, -1, x_BLC.shape[2]))
