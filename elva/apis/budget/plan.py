"""Choosing frames, resolution and merge ratio that a budget holds."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from elva.apis.cost import CostModel, SampleCost, SampleShape
from elva.apis.cost.sample import plan_of
from elva.datasets.sampling.times import frame_count
from elva.registry import RESOLUTION_SCHEDULERS, TRANSFORMS
from elva.structures import FramePlan, VideoMeta

from .budget import Budget
from .levels import Resolution, own_resolution, ratios, resolutions, turned

FILLED = 0.9
"""The share of a budget that a plan should use."""

Spend = Callable[[SampleCost], float]


class Level(NamedTuple):
    """How far resolution and merging are turned down; the ratio is None for a merger that has none."""

    resolution: Resolution
    ratio: float | None


@dataclass(frozen=True)
class BudgetPlan:
    """What fits a budget.

    Attributes:
        budget: The budget.
        frames: Of each video that has so many.
        level: Resolution and merge ratio.
        spent: By the costliest sample.
        cost: Of that sample.
        load: Config of ``LoadVideo``.
        model: What counted it.
    """

    budget: Budget
    frames: int
    level: Level
    spent: float
    cost: SampleCost
    load: dict[str, Any]
    model: CostModel

    def words(self) -> str:
        """The plan as a person reads it."""
        (group, scale), ratio = self.level
        sizes = (
            "all at full size" if group == 1 else f"1 of {group} at full size, the others at {scale:.2g} of its side"
        )
        merging = "" if ratio is None else f", merge ratio {ratio:.2f}"
        return (
            f"Budget {self.budget.words()}: {self.frames} frames, {sizes}{merging}. The costliest sample: "
            f"{self.cost.tokens:,} visual tokens, {self.budget.words(self.spent)} "
            f"({self.spent / self.budget.amount:.0%} of the budget)."
        )


class Search:
    """Looks for the plan, in this order of preference.

    Frames are what is given up last and bought first: ELVA gains most from more frames, even small ones.

    1. The config's own number of frames, resolution and merge ratio, if they fit; what is left over buys more frames.
       Where the videos have no more, it buys a lower merge ratio, and then resolution.
    2. If they do not fit, the own number of frames with more merging, and then with smaller frames between those at
       full size: no harsher than the budget needs, the merge ratio in steps of a hundredth. Small frames are for
       configs that have some: to a model that was not trained with them they are foreign.
    3. If no level holds so many frames, as many as fit at the harshest.
    4. What would leave the budget unused, or break it, otherwise: small frames for any config.

    At least ``FILLED`` of the budget is used wherever the videos have the frames for it.

    Args:
        cost: The model.
        load: The config's own ``LoadVideo``.
        clips: The metadata of the videos of each sample.
        text: Text ids of the longest sample.
        budget: To keep.
        spend: What a sample's cost is in the budget's kind.
        counted: What of the model counts: keys of ``CostModel.of``, ``merged`` and ``reduced``.
    """

    def __init__(
        self,
        cost: CostModel,
        load: dict[str, Any],
        clips: Sequence[tuple[VideoMeta, ...]],
        text: int,
        budget: Budget,
        spend: Spend,
        counted: dict[str, bool],
    ) -> None:
        self.cost, self.load, self.text, self.budget, self.spend = cost, load, text, budget, spend
        self.counted = counted
        self.tubelet: int = cost.model.tokenizer.tubelet
        self.clips = costliest(load, clips)
        self.own = Level(own_resolution(load), cost.merge_ratio)
        self.by_ratio = budget.kind != "tokens" and counted["merged"]
        tried = ratios(cost.merge_ratio, self.by_ratio)
        self.levels = [Level(r, ratio) for r in resolutions(load) for ratio in tried if self._possible(r)]
        self._known: dict[tuple[int, Level], tuple[float, SampleCost]] = {}

    def best(self) -> BudgetPlan:
        """The plan.

        Raises:
            ValueError: If the least that the config can do is more than the budget.
        """
        fullest: BudgetPlan | None = None
        for level, units in self._preferred():
            plan = self._filled(level, units)
            if plan is not None and plan.spent >= FILLED * self.budget.amount:
                return plan
            if plan is not None and (fullest is None or plan.spent > fullest.spent):
                fullest = plan
        if fullest is None:
            least, _ = self._at(1, self.levels[-1])
            merged = "" if self.levels[-1].ratio is None else " at the highest merge ratio"
            raise ValueError(
                f"A budget of {self.budget.words()} cannot be met: the least that this config can do, {self.tubelet} "
                f"frame{'s' * (self.tubelet > 1)}{merged}, is {self.budget.words(least)}."
            )
        return fullest

    def _preferred(self) -> Iterator[tuple[Level, int | None]]:
        """Levels in the order in which they are tried, each with a number of units, or None for as many as fit."""
        at, own = self.levels.index(self.own), self._own_units()
        gentler, harsher = self.levels[at::-1], self.levels[at + 1 :]
        if self._fits(own, self.own):
            yield from ((level, None) for level in (*gentler, *harsher))
            return
        small = self.own.resolution.group > 1
        familiar = [level for level in harsher if small or level.resolution == self.own.resolution]
        holding = [level for level in familiar if self._fits(own, level)]
        yield from ((level, own) for level in holding)
        yield from ((level, None) for level in (*holding, *reversed(familiar), *gentler, *harsher))

    def _filled(self, level: Level, units: int | None) -> BudgetPlan | None:
        """So many units (None: as many as fit) at this level, with as little merging as they need."""
        units = self._most(level) if units is None else units
        if not units:
            return None
        if level.ratio and self.by_ratio:
            hundredths = range(int(level.ratio * 100 + 1e-6))
            least = bisect_right(hundredths, False, key=lambda h: self._fits(units, level._replace(ratio=h / 100)))
            level = level._replace(ratio=least / 100) if least < len(hundredths) else level
        spent, cost = self._at(units, level)
        load = self._turned(units, level.resolution)
        return BudgetPlan(self.budget, units * self.tubelet, level, spent, cost, load, self.cost)

    def _most(self, level: Level) -> int:
        """The most units that fit; 0 if not even one does."""
        limit = max(-(-frame_count(meta) // self.tubelet) for clip in self.clips for meta in clip)
        high = 1
        while high < limit and self._fits(high, level):
            high = min(2 * high, limit)
        return bisect_right(range(1, high + 1), False, key=lambda units: not self._fits(units, level))

    def _fits(self, units: int, level: Level) -> bool:
        return self._at(units, level)[0] <= self.budget.amount

    def _at(self, units: int, level: Level) -> tuple[float, SampleCost]:
        """What the costliest sample spends."""
        if (units, level) not in self._known:
            costs = [
                self.cost.of(shape, level.ratio, **self.counted) for shape in self._shapes(units, level.resolution)
            ]
            self._known[units, level] = max(((self.spend(cost), cost) for cost in costs), key=lambda pair: pair[0])
        return self._known[units, level]

    def _shapes(self, units: int, resolution: Resolution) -> list[SampleShape]:
        load = TRANSFORMS.build(self._turned(units, resolution))
        return [SampleShape(tuple(plan_of(load, meta) for meta in clip), self.text) for clip in self.clips]

    def _turned(self, units: int, resolution: Resolution) -> dict[str, Any]:
        return turned(self.load, units * self.tubelet, resolution, self.tubelet)

    def _own_units(self) -> int:
        """Units of the config's own plan."""
        load = TRANSFORMS.build(self.load)
        return max(-(-len(plan_of(load, meta)) // self.tubelet) for clip in self.clips for meta in clip)

    def _possible(self, resolution: Resolution) -> bool:
        """Whether the tokenizer takes the small frames (an encoder takes one size alone)."""
        try:
            self.cost.counter.count(self._shapes(2, resolution)[0].plans, self.text, merged=False, reduced=False)
        except ValueError:
            return False
        return True


def costliest(load: dict[str, Any], clips: Sequence[tuple[VideoMeta, ...]]) -> list[tuple[VideoMeta, ...]]:
    """Of the samples whose videos have the same sizes of frames, the one with the most frames."""
    base = RESOLUTION_SCHEDULERS.build(load["resolution"].get("base", load["resolution"]))
    longest: dict[tuple[Any, ...], tuple[VideoMeta, ...]] = {}
    for clip in clips:
        key = tuple(base.assign(FramePlan((0.0,)), meta).sizes[0] for meta in clip)
        frames = sum(map(frame_count, clip))
        if clip and (key not in longest or frames > sum(map(frame_count, longest[key]))):
            longest[key] = clip
    return list(longest.values())
