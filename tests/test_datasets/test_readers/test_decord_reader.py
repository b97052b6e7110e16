from collections.abc import Callable
from pathlib import Path

import decord
import numpy as np
import pytest

from elva.datasets.readers import DecordReader, PyAVReader, decord_reader
from tests.clips import number

Clip = Callable[[str], str]


@pytest.fixture
def no_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("decoded with PyAV")

    monkeypatch.setattr(decord_reader, "decode_at", fail)


@pytest.mark.usefixtures("no_pyav")
@pytest.mark.parametrize("name", ["h264.mp4", "vp9.webm", "variable.webm", "odd.mp4", "late.mkv", "rotated_180.mp4"])
def test_decord_decodes_what_it_decodes_right(name: str, clip: Clip) -> None:
    assert len(DecordReader().read(clip(name), [0.0, 0.5])[0]) == 2


@pytest.mark.parametrize("name", ["hevc.mp4", "open_group.mp4", "transport.ts", "b_frames.avi", "edited.mp4"])
def test_pyav_decodes_where_decord_counts_wrongly(name: str, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decord, "VideoReader", None)  # calling it would fail
    frames, _ = DecordReader().read(clip(name), [0.4, 0.8])
    np.testing.assert_array_equal(frames, PyAVReader().read(clip(name), [0.4, 0.8])[0])


def test_pyav_decodes_what_decord_refuses(clip: Clip) -> None:
    with pytest.raises(decord.DECORDError):
        decord.VideoReader(clip("narrow.mp4"), num_threads=1).get_batch([3])
    assert number(DecordReader().read(clip("narrow.mp4"), [0.13])[0][0]) == 3


def test_a_frame_wanted_twice_is_decoded_once(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Counting(decord.VideoReader):
        def get_batch(self, indices: np.ndarray) -> object:
            asked.append(list(indices))
            return super().get_batch(indices)

    monkeypatch.setattr(decord, "VideoReader", Counting)
    frames, times = DecordReader().read(clip("h264.mp4"), [0.0, 0.01, 0.4, 0.43])
    assert asked == [[0, 10]]
    assert [number(frame) for frame in frames] == [0, 0, 10, 10]
    np.testing.assert_allclose(times, [0.0, 0.0, 0.4, 0.4])


def test_a_header_that_states_too_many_frames_is_kept_from_decord(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(clip("h264.mp4"), "rb") as file:
        data = bytearray(file.read())
    table = data.index(b"stts") + 4  # version, number of entries, frames of the first entry
    data[table + 8 : table + 12] = (4_000_000_000).to_bytes(4, "big")
    path = tmp_path / "billions.mp4"
    path.write_bytes(data)
    monkeypatch.setattr(decord, "VideoReader", None)  # it would abort the process: std::bad_alloc
    assert number(DecordReader().read(str(path), [0.4])[0][0]) == 10
