"""FrameFusion: merge what stays the same from frame to frame, then prune what the question does not look at.

Legend: B batch, L rows, M rows after merging.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import torch
from torch import Tensor

from elva.models.attention.view import AttnView
from elva.registry import MERGERS
from elva.structures import SequenceState

from .base import Merger, Site, When
from .ranking import keep_best, question_attention
from .runs import run_heads, successive_pairs
from .similarity import Similarity, metric, most_similar, original_visual_rows, visual_rows

_STAGE, _SPENT = "frame_fusion/stage", "frame_fusion/spent"


class Stage(IntEnum):
    """What comes next for a sample."""

    MERGE, PRUNE, REST = range(3)


class Progress(NamedTuple):
    """How far each sample has come.

    Attributes:
        stage: (B,) long, values of :class:`Stage`.
        spent: (B,) long, visual rows that entered the layers so far, added up.
        now: (B,) long, visual rows of now.
        allowed: (B,) float64, visual rows that the budget leaves for each layer to come.
    """

    stage: Tensor
    spent: Tensor
    now: Tensor
    allowed: Tensor


@MERGERS.register_module()
class FrameFusion(Merger):
    r"""Merges alike successive frames layer by layer while that pays, then prunes once, to meet a budget.

    With :math:`n_l` the visual rows that enter layer :math:`l`, the budget is their mean,
    :math:`\frac{1}{D} \sum_l n_l = cost \cdot n`. Before the first layer, and after the attention of each layer,
    rows join the one before them at the same place where their cosine is at least ``tau``, and runs of such pairs
    become one row at the place of the first. If more pairs are alike than the budget asks for, the most similar that
    do are merged, and the sample is finished. When the share of alike pairs falls below ``least_share``, one prune
    follows after the next attention: the rows that the question attends to most stay, as many as the budget leaves
    for the layers to come; after the last layer but one there is none left to prune at, and the budget may be missed.
    Samples of a batch come to their ends at different layers.

    Source: FrameFusion (arXiv 2501.01986). Differences from the published code: rows are averaged by size (there each
    merge is a plain mean, so that several are not); the cosine is measured on normalised rows (there raw, as
    ``similarity='raw'`` does); any depth (there 28 layers); nothing is merged after the attention of the last layer,
    which would spare none; ``FRAME`` rows always stay and count; a budget that is spent leaves one row where the
    published code stops the program.

    Args:
        cost: The budget: the mean of visual rows a layer, as a share of those of the input. 1 changes nothing.
            Default: 0.3.
        tau: Similarity from which rows merge. Above 1 there is pruning alone. Default: 0.6.
        least_share: Merging goes on while at least this share of the visual rows is alike their predecessors.
            Default: 0.1.
        similarity: What the cosine is measured on, see :func:`~elva.models.mergers.similarity.metric`.
            Default: ``'normed'``.
        streaming: Give merged rows the latest rank of their members. Default: False.

    Raises:
        ValueError: If ``cost`` is not above 0 and at most 1.
    """

    identity = ({"cost": 1.0},)

    def __init__(
        self,
        cost: float = 0.3,
        tau: float = 0.6,
        least_share: float = 0.1,
        similarity: Similarity = "normed",
        streaming: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < cost <= 1:
            raise ValueError(f"FrameFusion: cost={cost} is the share of visual rows that is kept: above 0, at most 1")
        self.cost = cost
        self.tau = tau
        self.least_share = least_share
        self.similarity = similarity
        self.streaming = streaming
        self._depth = 0

    def sites(self, depth: int) -> Sequence[tuple[int, When]]:
        """Before the first layer, and after the attention of each but the last; notes ``depth`` for the budget."""
        self._depth = depth
        return [Site(0, "pre_attn"), *(Site(layer, "post_attn") for layer in range(depth - 1))]

    def forward(self, state: SequenceState, site: Site, attn: AttnView | None = None) -> SequenceState:
        """Merge the samples that are still merging, prune those that are due, leave those that are finished.

        Raises:
            ValueError: If a sample that is to be pruned has visual rows and no text behind them, or there is no view.
        """
        if self.cost == 1:
            return state
        with torch.no_grad():
            progress = self._progress(state, site)
            stages = [(progress.stage == stage).any() for stage in (Stage.MERGE, Stage.PRUNE)]
            merging, due = torch.stack(stages).tolist()  # one synchronisation
        if not merging and not due:
            return state
        due_B = progress.stage == Stage.PRUNE
        score_BL = question_attention("FrameFusion", state, attn, due_B) if due else None
        stage_B = progress.stage + due_B  # from PRUNE to REST
        if merging:
            state, stage_B = self._merged(state, stage_B, progress, site, attn)
        if score_BL is not None:  # the rows of a sample that prunes did not merge, so they are still where they were
            target_B = torch.where(due_B, progress.allowed.round().long(), visual_rows(state))
            state = state.select(keep_best(state, score_BL[:, : state.h.shape[1]], target_B))
        return state.replace(memo={**state.memo, _STAGE: stage_B, _SPENT: progress.spent})

    def _progress(self, state: SequenceState, site: Site) -> Progress:
        assert self._depth > 0, "sites() was not asked, so the depth is not known"
        now_B = visual_rows(state)
        spent_B = state.memo.get(_SPENT, now_B * site.layer)
        ran = 0
        if site.when == "post_attn":
            spent_B, ran = spent_B + now_B, site.layer + 1
        budget_B = self.cost * self._depth * original_visual_rows(state).double()
        allowed_B = ((budget_B - spent_B) / (self._depth - ran)).clamp(min=1)
        stage_B = state.memo.get(_STAGE, torch.full_like(now_B, Stage.MERGE))
        return Progress(stage_B, spent_B, now_B, allowed_B)

    def _merged(
        self, state: SequenceState, stage_B: Tensor, progress: Progress, site: Site, attn: AttnView | None
    ) -> tuple[SequenceState, Tensor]:
        """The state after one step of merging, and the stages after it."""
        with torch.no_grad():
            merging_B = stage_B == Stage.MERGE
            order_BL, score_BL = successive_pairs(state, metric(state, attn, self.similarity))
            above_BL = (score_BL >= self.tau) & merging_B[:, None]
            above_B = above_BL.sum(1)
            if attn is not None:
                layer = site.layer + (site.when == "post_attn")
                share = above_B.sum() / (progress.now * merging_B).sum().clamp(min=1)
                attn.record(f"merge/share_layer{layer:02d}", share)
            most_B = (progress.now - (progress.allowed - 1e-6).ceil().long()).clamp(min=0)
            into_BL = run_heads(order_BL, above_BL & most_similar(score_BL, most_B))
            ends_B = torch.where(above_B < self.least_share * progress.now, Stage.PRUNE, Stage.MERGE)
            ends_B = torch.where(above_B >= most_B, Stage.REST, ends_B)
        return state.fold(into_BL, latest=self.streaming), torch.where(merging_B, ends_B, stage_B)
