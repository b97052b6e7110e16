import random
import re
from typing import Any

import pytest

from elva.datasets.sampling import HybridResolution, NativeResolution, ResolutionScheduler
from elva.registry import RESOLUTION_SCHEDULERS
from elva.structures import FramePlan, VideoMeta

META = VideoMeta("v.mp4", duration=8.0, fps=25.0, height=192, width=192)
BASE = {"type": "NativeResolution", "patch_size": 16, "max_patches": 144}
FULL, LOW = (192, 192), (96, 96)
FULL_TOKENS, LOW_TOKENS = 144 + 12 + 1, 36 + 6 + 1


def _assign(times: int = 8, meta: VideoMeta = META, **options: Any) -> FramePlan:
    scheduler = RESOLUTION_SCHEDULERS.build({"type": "HybridResolution", "base": BASE, **options})
    return scheduler.assign(FramePlan(tuple(float(time) for time in range(times))), meta)


def test_every_other_frame_is_small() -> None:
    plan = _assign(5)
    assert plan.seconds == (0.0, 1.0, 2.0, 3.0, 4.0)
    assert plan.sizes == (FULL, LOW, FULL, LOW, FULL)


def test_groups_and_tubelets() -> None:
    assert _assign(8, group=4).sizes == (FULL, LOW, LOW, LOW) * 2
    assert _assign(8, group=2, unit=2).sizes == (FULL, FULL, LOW, LOW) * 2
    assert _assign(5, group=2, unit=2).sizes == (FULL, FULL, LOW, LOW, FULL)
    assert _assign(3, group=1).sizes == (FULL,) * 3


def test_small_sides_are_whole_patches_of_the_base() -> None:
    wide = VideoMeta("v.mp4", 8.0, 25.0, height=720, width=1280)
    assert _assign(2, wide).sizes == ((144, 256), (80, 128))  # 9 x 16 and 5 x 8 patches
    assert _assign(2, wide, low_scale=0.01).sizes[1] == (16, 16)
    tiny = HybridResolution({"type": "FixedResolution", "size": (24, 24), "patch_size": 12})
    assert tiny.patch_size == 12
    assert tiny.assign(FramePlan((0.0, 1.0)), META).sizes == ((24, 24), (12, 12))


def test_more_frames_keeps_the_full_ones_and_inserts_small_ones_between() -> None:
    plan = _assign(3, group=3, mode="more_frames")
    assert plan.seconds == pytest.approx((0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2))
    assert plan.sizes == (FULL, LOW, LOW, FULL, LOW, LOW, FULL)
    plan = _assign(4, group=2, unit=2, mode="more_frames")
    assert plan.seconds == pytest.approx((0, 1, 4 / 3, 5 / 3, 2, 3))
    assert plan.sizes == (FULL, FULL, LOW, LOW, FULL, FULL)


def test_more_frames_inserts_no_more_than_the_video_has() -> None:
    six = VideoMeta("v.mp4", duration=6.0, fps=1.0, height=192, width=192)
    assert _assign(6, six, mode="more_frames").sizes == (FULL,) * 6
    assert _assign(3, six, group=9, mode="more_frames").sizes == (FULL, LOW, FULL, LOW, FULL)
    image = VideoMeta("i.png", 0.0, 0.0, height=192, width=192)
    assert _assign(1, image, mode="more_frames") == FramePlan((0.0,), (FULL,))


def test_over_the_budget_fewer_frames_are_taken_evenly() -> None:
    exact = 4 * FULL_TOKENS + 4 * LOW_TOKENS
    assert len(_assign(8, max_tokens=exact)) == 8
    plan = _assign(8, max_tokens=exact - 1)
    assert plan.sizes == (FULL, LOW, FULL, LOW, FULL, LOW, FULL)
    assert (plan.seconds[0], plan.seconds[-1]) == (0.0, 7.0)
    plan = _assign(8, max_tokens=2 * FULL_TOKENS + LOW_TOKENS, mode="more_frames")
    assert plan == FramePlan((0.0, 3.5, 7.0), (FULL, LOW, FULL))


def test_a_budget_that_nothing_fits_is_named_with_the_least_that_would_do() -> None:
    assert _assign(8, max_tokens=FULL_TOKENS) == FramePlan((0.0,), (FULL,))
    for mode in ("same_frames", "more_frames"):
        message = f"v.mp4: max_tokens={FULL_TOKENS - 1} of HybridResolution is too low, .* takes {FULL_TOKENS} tokens"
        with pytest.raises(ValueError, match=message):
            _assign(8, max_tokens=FULL_TOKENS - 1, mode=mode)
    assert len(_assign(8, max_tokens=FULL_TOKENS, unit=2)) == 2  # a tubelet counts once


def test_any_budget_is_kept_and_used() -> None:
    rng = random.Random(0)
    for _ in range(500):
        meta = VideoMeta("v.mp4", rng.uniform(1, 60), 25.0, rng.randint(64, 800), rng.randint(64, 800))
        times = sorted(rng.uniform(0, meta.duration) for _ in range(rng.randint(1, 40)))
        unit, group = rng.randint(1, 3), rng.randint(1, 4)
        options = {"group": group, "unit": unit, "mode": rng.choice(("same_frames", "more_frames"))}
        budget = rng.randint(200, 3000)
        plan = HybridResolution(NativeResolution(), max_tokens=budget, **options).assign(FramePlan(tuple(times)), meta)
        free = HybridResolution(NativeResolution(), **options).assign(FramePlan(tuple(times)), meta)
        assert _tokens(plan, unit) <= budget
        assert len(plan.seconds) == len(plan.sizes) >= 1 and list(plan.seconds) == sorted(plan.seconds)
        if _tokens(free, unit) <= budget:
            assert plan == free
        elif options["mode"] == "same_frames":
            assert len(plan) < len(free) and set(plan.seconds) < set(times)
        else:
            assert plan.sizes.count(free.sizes[0]) < free.sizes.count(free.sizes[0])


def _tokens(plan: FramePlan, unit: int) -> int:
    """Counted from the runs of one size, as tokenizers do."""
    total, run = 0, 0
    for index, size in enumerate(plan.sizes):
        run = run + 1 if index and size == plan.sizes[index - 1] else 1
        if run % unit == 1 or unit == 1:
            total += size[0] // 16 * (size[1] // 16) + size[0] // 16 + 1
    return total


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "fewer_frames"}, "mode must be one of same_frames, more_frames, got 'fewer_frames'"),
        ({"low_scale": 1.5}, "low_scale must be at most 1, got 1.5"),
        ({"low_scale": 0}, "low_scale must be above 0, got 0"),
        ({"group": 0}, "group must be above 0, got 0"),
        ({"unit": -1}, "unit must be above 0, got -1"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"HybridResolution: {re.escape(message)}"):
        HybridResolution(BASE, **options)


def test_the_base_must_know_its_patch_size() -> None:
    class Bare(ResolutionScheduler):
        def assign(self, plan: FramePlan, meta: VideoMeta) -> FramePlan:
            return plan

    with pytest.raises(ValueError, match="base Bare has no attribute patch_size"):
        HybridResolution(Bare())
