"""ELVA's own merger: the same place in successive frames, in two steps.

Legend: B batch, L rows, N rows of the whole batch, C channels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from elva.models.attention.view import AttnView
from elva.registry import MERGERS
from elva.structures import SequenceState

from .base import Merger, Site, When
from .similarity import (
    Metric,
    Similarity,
    check_ratio,
    metric,
    most_similar,
    original_visual_rows,
    rows_left,
    visual_rows,
)

_BLOCK = 2**19
"""Numbers that a core compares at a time: 2 MB of float32 stay in its cache, and memory does not grow with the clip."""


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


def successive_pairs(state: SequenceState, unit: Metric) -> tuple[Tensor, Tensor]:
    """Sort the rows place by place, time within a place, and compare each with the one before.

    Returns:
        (B, L) long, the row at each sorted position; and (B, L) float32, the cosine between the row at that position
        and the one before it, minus infinity where that is not the same place.
    """
    nowhere = torch.iinfo(torch.long).max
    sorted_BL, order_BL = state.slot.masked_fill(~state.mergeable, nowhere).sort(dim=1, stable=True)
    same_BL = torch.zeros_like(state.valid)
    same_BL[:, 1:] = (sorted_BL[:, 1:] == sorted_BL[:, :-1]) & (sorted_BL[:, 1:] != nowhere)
    first_B1 = torch.arange(len(order_BL), device=order_BL.device)[:, None] * order_BL.shape[1]
    cosine_N = successive_cosines((order_BL + first_B1).flatten(), unit, state.h.shape[2])
    return order_BL, cosine_N.view_as(same_BL).masked_fill(~same_BL, float("-inf"))


def successive_cosines(rows_N: Tensor, unit: Metric, channels: int) -> Tensor:
    """(N,) float32: the cosine between each of the rows and the one before it; 0 for the first."""
    workers = torch.get_num_threads() if rows_N.device.type == "cpu" else 32
    block = max(1, _BLOCK * workers // channels)
    cosines = [torch.zeros(1, device=rows_N.device)]
    for start in range(1, len(rows_N), block):
        x_RC = unit(rows_N[start - 1 : start + block])
        cosines.append((x_RC[1:] * x_RC[:-1]).sum(-1))
    return torch.cat(cosines)


def run_heads(order_BL: Tensor, link_BL: Tensor) -> Tensor:
    """(B, L) long: the row that each row joins, if every linked sorted position joins the one before it."""
    position_BL = torch.arange(order_BL.shape[1], device=order_BL.device).expand_as(order_BL)
    head_BL = torch.where(link_BL, 0, position_BL).cummax(dim=1).values
    return torch.empty_like(order_BL).scatter_(1, order_BL, order_BL.gather(1, head_BL))
