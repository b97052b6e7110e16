from collections.abc import Callable

import pytest

from elva.datasets.readers import PyAVReader
from elva.datasets.sampling import UniformSampler
from elva.registry import FRAME_SAMPLERS
from elva.structures import VideoMeta
from tests.clips import number


def test_both_ends_are_included() -> None:
    sampler = FRAME_SAMPLERS.build({"type": "UniformSampler", "num_frames": 4})
    plan = sampler.plan(VideoMeta("v.mp4", duration=10.0, fps=10.0, height=4, width=4))
    assert plan.seconds == pytest.approx((0.0, 3.3, 6.6, 9.9))
    assert plan.sizes == ()


def test_short_videos_and_images_give_each_frame_once() -> None:
    assert UniformSampler(8).plan(VideoMeta("v.mp4", 0.12, 25.0, 4, 4)).seconds == pytest.approx((0.0, 0.04, 0.08))
    assert UniformSampler(8).plan(VideoMeta("i.png", 0.0, 0.0, 4, 4)).seconds == (0.0,)


def test_the_default_is_eight_frames() -> None:
    assert len(UniformSampler().plan(VideoMeta("v.mp4", 10.0, 10.0, 4, 4))) == 8


@pytest.mark.parametrize("name", ["h264.mp4", "vp9.webm", "late.mkv", "edited.mp4", "transport.ts"])
@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_real_files_give_distinct_frames_from_the_first_to_the_last(
    name: str, count: int, clip: Callable[[str], str]
) -> None:
    reader, path = PyAVReader(), clip(name)
    plan = UniformSampler(count).plan(reader.probe(path))
    shown = [number(frame) for frame in reader.read(path, plan.seconds)[0]]
    everything = [
        number(frame) for frame in reader.read(path, UniformSampler(1000).plan(reader.probe(path)).seconds)[0]
    ]
    assert len(set(shown)) == len(shown) == min(count, len(everything))
    assert shown[0] == everything[0]
    assert shown[-1] == (everything[-1] if count > 1 else everything[0])


def test_the_number_of_frames_must_be_positive() -> None:
    with pytest.raises(ValueError, match="UniformSampler: num_frames must be above 0, got 0"):
        UniformSampler(0)
