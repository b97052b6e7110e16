import pytest

from elva.datasets.sampling import InnerSampler
from elva.registry import FRAME_SAMPLERS
from elva.structures import VideoMeta


@pytest.mark.parametrize(("count", "frames"), [(250, 8), (100, 4), (31, 30), (9, 8)])
def test_frames_are_those_of_the_published_rule(count: int, frames: int) -> None:
    sampler = FRAME_SAMPLERS.build({"type": "InnerSampler", "num_frames": frames})
    times = sampler.plan(VideoMeta("v.mp4", count / 25, 25.0, 4, 4)).seconds
    assert [round(time * 25) for time in times] == [int(count / (frames + 1) * i) for i in range(1, frames + 1)]


def test_short_videos_and_images_give_each_frame_once() -> None:
    times = InnerSampler(8).plan(VideoMeta("v.mp4", 0.12, 25.0, 4, 4)).seconds
    assert [round(time * 25) for time in times] == [0, 1, 2]
    assert InnerSampler(8).plan(VideoMeta("i.png", 0.0, 0.0, 4, 4)).seconds == (0.0,)


def test_the_number_of_frames_must_be_positive() -> None:
    with pytest.raises(ValueError, match="InnerSampler: num_frames must be above 0, got 0"):
        InnerSampler(0)
