import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from elva.datasets.readers.packet_index import index_packets
from tests.clips import RECIPES

Clip = Callable[[str], str]
COUNTABLE = {
    "h264.mp4": True,
    "vp9.webm": True,
    "variable.mp4": True,
    "late.mkv": True,
    "one_frame.mp4": True,
    "hevc.mp4": False,  # open groups of pictures
    "open_group.mp4": False,
    "edited.mp4": False,  # hidden frames
    "transport.ts": False,  # no index
    "b_frames.avi": False,  # no presentation times
}


@pytest.mark.parametrize("name", COUNTABLE)
def test_counting_frames_from_a_key_frame_is_allowed_where_it_is_right(name: str, clip: Clip) -> None:
    assert index_packets(clip(name)).countable == COUNTABLE[name]


@pytest.mark.parametrize("name", ["h264.mp4", "hevc.mp4", "variable.webm", "late.mkv", "edited.mp4", "transport.ts"])
def test_times_are_those_of_the_frames(name: str, clip: Clip) -> None:
    index = index_packets(clip(name))
    np.testing.assert_allclose(index.seconds, RECIPES[name].seconds, atol=6e-4)
    np.testing.assert_array_equal(index.shown_at(RECIPES[name].seconds.tolist()), range(len(index.seconds)))


def test_a_time_belongs_to_the_last_frame_that_started(clip: Clip) -> None:
    index = index_packets(clip("h264.mp4"))
    assert index.shown_at([-1.0, 0.0, 0.0399, 0.04, 0.0799, 1.0, 7.0]).tolist() == [0, 0, 0, 1, 1, 25, 39]


def test_times_rounded_up_to_milliseconds_still_count(clip: Clip) -> None:
    index = index_packets(clip("vp9.webm"))  # 30 frames a second, written as 0, 33, 67, 100, ... ms
    exact = [number / 30 for number in range(40)]
    np.testing.assert_array_equal(index.shown_at(exact), range(40))


def test_a_file_is_indexed_once_until_it_changes(clip: Clip, tmp_path: Path) -> None:
    path = str(tmp_path / "copy.mp4")
    shutil.copy(clip("h264.mp4"), path)
    index = index_packets(path)
    assert index_packets(path) is index
    shutil.copy(clip("variable.mp4"), path)
    assert len(index_packets(path).seconds) == 20
