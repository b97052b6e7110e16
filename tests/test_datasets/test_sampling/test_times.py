import pytest

from elva.datasets.sampling.times import check_positive, frame_count, spread
from elva.structures import VideoMeta


def _meta(duration: float, fps: float) -> VideoMeta:
    return VideoMeta("v.mp4", duration, fps, height=48, width=64)


def test_frames_are_counted_from_duration_and_rate() -> None:
    assert frame_count(_meta(13.013, 30000 / 1001)) == 390
    assert frame_count(_meta(0.04, 25)) == 1
    assert frame_count(_meta(0.0, 0.0)) == 1  # a still image


@pytest.mark.parametrize("frames", [1, 2, 3, 7, 40, 390])
@pytest.mark.parametrize("count", [1, 2, 8, 33])
def test_spread_times_show_the_frames_of_a_truncated_linspace(frames: int, count: int) -> None:
    fps = 30000 / 1001
    times = spread(_meta(frames / fps, fps), count)
    taken = min(count, frames)
    expected = [i * (frames - 1) // max(1, taken - 1) for i in range(taken)]
    assert [int(time * fps + 1e-6) for time in times] == expected


def test_numbers_must_be_positive() -> None:
    check_positive("Thing", a=1, b=0.5)
    with pytest.raises(ValueError, match="Thing: b must be above 0, got -1"):
        check_positive("Thing", a=1, b=-1)
