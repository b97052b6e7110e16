import random

import pytest

from elva.datasets.sampling import FPSSampler
from elva.datasets.sampling.times import frame_count
from elva.registry import FRAME_SAMPLERS
from elva.structures import VideoMeta


def _meta(duration: float, fps: float = 25.0) -> VideoMeta:
    return VideoMeta("v.mp4", duration, fps, height=4, width=4)


def test_frames_come_at_the_rate_until_the_end() -> None:
    sampler = FRAME_SAMPLERS.build({"type": "FPSSampler", "fps": 2.0})
    assert sampler.plan(_meta(2.4)).seconds == (0.0, 0.5, 1.0, 1.5, 2.0)
    assert sampler.plan(_meta(2.0)).seconds == (0.0, 0.5, 1.0, 1.5)


def test_above_the_most_frames_they_are_spread_over_the_whole_video() -> None:
    seconds = FPSSampler(fps=1.0, max_frames=5).plan(_meta(100.0)).seconds
    assert seconds == pytest.approx((0.0, 24.99, 49.98, 74.97, 99.96))


def test_below_the_fewest_frames_they_are_spread_as_well() -> None:
    seconds = FPSSampler(fps=1.0, min_frames=3).plan(_meta(1.0)).seconds
    assert seconds == pytest.approx((0.0, 0.48, 0.96))


def test_no_video_gives_more_frames_than_it_has() -> None:
    assert FPSSampler(fps=100.0).plan(_meta(0.2)).seconds == pytest.approx((0.0, 0.04, 0.08, 0.12, 0.16))
    assert FPSSampler(min_frames=4).plan(_meta(0.08)).seconds == pytest.approx((0.0, 0.04))
    assert FPSSampler(min_frames=4).plan(VideoMeta("i.png", 0.0, 0.0, 4, 4)).seconds == (0.0,)


def test_times_rise_within_the_video_and_its_limits() -> None:
    rng = random.Random(0)
    for _ in range(300):
        meta = _meta(rng.uniform(0.05, 200), rng.uniform(1, 60))
        most = rng.randint(1, 80)
        seconds = FPSSampler(rng.uniform(0.1, 5), most, rng.randint(1, most)).plan(meta).seconds
        assert 1 <= len(seconds) <= min(most, frame_count(meta))
        assert seconds[0] == 0.0 and seconds[-1] < max(meta.duration, 1e-9)
        assert list(seconds) == sorted(set(seconds))


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match=r"FPSSampler: min_frames \(9\) is above max_frames \(8\)"):
        FPSSampler(max_frames=8, min_frames=9)
    with pytest.raises(ValueError, match="FPSSampler: fps must be above 0"):
        FPSSampler(fps=0)
