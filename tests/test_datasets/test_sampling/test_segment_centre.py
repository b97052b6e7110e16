import pytest

from elva.datasets.sampling import SegmentCentreSampler
from elva.registry import FRAME_SAMPLERS
from elva.structures import VideoMeta


def test_times_are_the_centres_of_equal_parts() -> None:
    sampler = FRAME_SAMPLERS.build({"type": "SegmentCentreSampler", "num_frames": 4})
    plan = sampler.plan(VideoMeta("v.mp4", duration=10.0, fps=25.0, height=4, width=4))
    assert plan.seconds == pytest.approx((1.25, 3.75, 6.25, 8.75))


def test_short_videos_and_images_give_each_frame_once() -> None:
    sampler = SegmentCentreSampler(8)
    times = sampler.plan(VideoMeta("v.mp4", 0.12, 25.0, 4, 4)).seconds
    assert [int(time * 25) for time in times] == [0, 1, 2]
    assert sampler.plan(VideoMeta("i.png", 0.0, 0.0, 4, 4)).seconds == (0.0,)


def test_the_number_of_frames_must_be_positive() -> None:
    with pytest.raises(ValueError, match="SegmentCentreSampler: num_frames must be above 0, got -2"):
        SegmentCentreSampler(-2)
