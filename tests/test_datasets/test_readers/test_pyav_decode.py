from collections.abc import Callable

import av
import numpy as np
import pytest

from elva.datasets.readers import pyav_decode
from tests.clips import number

Clip = Callable[[str], str]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Times of the frames that are decoded, in order."""
    times: list[float] = []
    timed = pyav_decode._timed

    def recording(*args: object) -> object:
        for time, frame in timed(*args):  # type: ignore[arg-type]
            times.append(round(time, 3))
            yield time, frame

    monkeypatch.setattr(pyav_decode, "_timed", recording)
    return times


def test_decoding_jumps_to_the_key_frame_before_a_wanted_time(clip: Clip, decoded: list[float]) -> None:
    frames, _ = pyav_decode.decode_at(clip("h264.mp4"), [0.0, 1.0], threads=1)  # key frames at 0, 0.48, 0.96, 1.44
    assert [number(frame) for frame in frames] == [0, 25]
    assert decoded == [0.0, 0.04, 0.96, 1.0, 1.04]


def test_decoding_stops_behind_the_last_wanted_time(clip: Clip, decoded: list[float]) -> None:
    pyav_decode.decode_at(clip("h264.mp4"), [0.0, 0.05, 0.1], threads=1)
    assert decoded == [0.0, 0.04, 0.08, 0.12]


def test_neighbouring_frames_are_decoded_in_one_go(clip: Clip, decoded: list[float]) -> None:
    seconds = [0.04 * number for number in range(40)]
    pyav_decode.decode_at(clip("h264.mp4"), seconds, threads=1)
    assert decoded == [round(second, 3) for second in seconds]


def test_an_inexact_jump_is_made_good_by_decoding_from_the_start(
    clip: Clip, decoded: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Overshooting:
        def __init__(self, container: av.container.InputContainer) -> None:
            self.container = container

        def seek(self, ticks: int, **options: object) -> None:
            self.container.seek(10**9, **options)  # behind the last key frame

        def __getattr__(self, name: str) -> object:
            return getattr(self.container, name)

    frames_at = pyav_decode._frames_at
    monkeypatch.setattr(pyav_decode, "_frames_at", lambda container, *args: frames_at(Overshooting(container), *args))
    frames, _ = pyav_decode.decode_at(clip("h264.mp4"), [1.0], threads=1)
    assert number(frames[0]) == 25
    assert decoded[-3:] == [0.96, 1.0, 1.04] and 0.92 in decoded


def test_threads_do_not_change_the_frames(clip: Clip) -> None:
    seconds = [0.2, 0.9, 1.56]
    one, _ = pyav_decode.decode_at(clip("hevc.mp4"), seconds, threads=1)
    two, _ = pyav_decode.decode_at(clip("hevc.mp4"), seconds, threads=2)
    np.testing.assert_array_equal(one, two)
