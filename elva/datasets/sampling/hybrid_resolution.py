"""Few frames at full size, those between them smaller: more of the video for the same number of tokens.

A unit is ``unit`` successive frames (what a tubelet takes together), a group is ``group`` units.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from elva.registry import RESOLUTION_SCHEDULERS
from elva.structures import FramePlan, VideoMeta

from .base import ResolutionScheduler
from .times import check_positive, frame_count

Size = tuple[int, int]

Unit = tuple[float, ...]
"""The times of one unit's frames."""

Layout = list[tuple[Unit, bool]]
"""Units in the order of time, and whether each is at full size."""


@RESOLUTION_SCHEDULERS.register_module()
class HybridResolution(ResolutionScheduler):
    """Gives the first unit of each group the full size, the others ``low_scale`` of each side.

    ELVA's hybrid resolution; Giraffe (arXiv 2412.12735) does the same. With groups of two and half the side, a video
    takes 5/8 of the patches.

    Over the token budget, the units of the plan are thinned out, evenly, until it is met; sizes are not lowered.

    Args:
        base: The scheduler (or its config) of the full size; it gives one size a video, and has a ``patch_size``.
        group: Units of a group. Default: 2.
        low_scale: Side of the small frames relative to the full ones, rounded to whole patches. Default: 0.5.
        unit: Successive frames of one size; the tokenizer's tubelet. Default: 1.
        mode: ``'same_frames'`` keeps the frames of the plan. ``'more_frames'`` has all of these at full size, and
            inserts ``group - 1`` small units between each two units, evenly in time (fewer if the video has not so
            many frames). Default: ``'same_frames'``.
        max_tokens: The most tokens of a video, counted as ``rows * cols + rows + 1`` a unit: its patches, a ``<LINE>``
            for each row, a ``<FRAME>``. Default: no limit.
    """

    def __init__(
        self,
        base: dict[str, Any] | ResolutionScheduler,
        group: int = 2,
        low_scale: float = 0.5,
        unit: int = 1,
        mode: str = "same_frames",
        max_tokens: int | None = None,
    ) -> None:
        check_positive("HybridResolution", group=group, low_scale=low_scale, unit=unit)
        if low_scale > 1:
            raise ValueError(f"HybridResolution: low_scale must be at most 1, got {low_scale}")
        if mode not in _LAYOUTS:
            raise ValueError(f"HybridResolution: mode must be one of {', '.join(_LAYOUTS)}, got '{mode}'")
        self.base = RESOLUTION_SCHEDULERS.build(base) if isinstance(base, dict) else base
        self.patch_size = _patch_size(self.base)
        self.group = group
        self.low_scale = low_scale
        self.unit = unit
        self.mode = mode
        self.max_tokens = max_tokens

    def assign(self, plan: FramePlan, meta: VideoMeta) -> FramePlan:
        """Return ``plan`` with sizes, and in mode ``'more_frames'`` or over the budget with other times.

        Raises:
            ValueError: If not even one full-size unit fits the budget.
        """
        plan = self.base.assign(plan, meta)
        full = plan.sizes[0]
        low = self._low(full)
        units = [plan.seconds[i : i + self.unit] for i in range(0, len(plan), self.unit)]
        layout = self._within_budget(units, full, low, meta)
        seconds = tuple(time for unit, _ in layout for time in unit)
        return FramePlan(seconds, tuple(full if is_full else low for unit, is_full in layout for _ in unit))

    def _within_budget(self, units: list[Unit], full: Size, low: Size, meta: VideoMeta) -> Layout:
        def layout(count: int) -> Layout:
            return _LAYOUTS[self.mode](_thin(units, count), self.group, meta)

        def tokens(count: int) -> int:
            return sum(self._cost(full if is_full else low) for _, is_full in layout(count))

        count = len(units)
        if self.max_tokens is not None and tokens(count) > self.max_tokens:
            count = bisect_right(range(1, count), self.max_tokens, key=tokens)
        if count == 0:
            raise ValueError(
                f"{meta.path}: max_tokens={self.max_tokens} of HybridResolution is too low, a single unit of "
                f"{full[0]}x{full[1]} pixels takes {self._cost(full)} tokens: raise it to {self._cost(full)}, "
                f"or lower the size that the base gives."
            )
        return layout(count)

    def _cost(self, size: Size) -> int:
        rows, cols = size[0] // self.patch_size, size[1] // self.patch_size
        return rows * cols + rows + 1

    def _low(self, full: Size) -> Size:
        rows, cols = (max(1, math.floor(side / self.patch_size * self.low_scale + 0.5)) for side in full)
        return rows * self.patch_size, cols * self.patch_size


def _patch_size(base: ResolutionScheduler) -> int:
    patch_size = getattr(base, "patch_size", None)
    if not isinstance(patch_size, int):
        raise ValueError(f"HybridResolution: base {type(base).__name__} has no attribute patch_size, an integer")
    return patch_size


def _same_frames(units: list[Unit], group: int, _meta: VideoMeta) -> Layout:
    return [(unit, index % group == 0) for index, unit in enumerate(units)]


def _more_frames(units: list[Unit], group: int, meta: VideoMeta) -> Layout:
    gaps, length = len(units) - 1, len(units[0])
    spare = max(0, frame_count(meta) - sum(len(unit) for unit in units))
    inserted = min(group - 1, spare // (gaps * length)) if gaps else 0
    layout: Layout = [(units[0], True)]
    for before, after in pairwise(units):
        step = (after[0] - before[-1]) / (inserted * length + 1)
        times = [before[-1] + step * (index + 1) for index in range(inserted * length)]
        layout += [(tuple(times[i : i + length]), False) for i in range(0, len(times), length)]
        layout.append((after, True))
    return layout


def _thin(units: list[Unit], count: int) -> list[Unit]:
    """``count`` of ``units``, evenly spread, both ends included."""
    if count == 1:
        return units[:1]
    return [units[round(index * (len(units) - 1) / (count - 1))] for index in range(count)]


_LAYOUTS: dict[str, Callable[[list[Unit], int, VideoMeta], Layout]] = {
    "same_frames": _same_frames,
    "more_frames": _more_frames,
}
