import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from elva.datasets.benchmarks import VideoNeedle
from elva.datasets.needles import Needle, Settings, make_needles, read_needles
from elva.datasets.readers import PyAVReader
from tests.clips import number
from tests.test_datasets.test_benchmarks.layouts_a import write_json

Clip = Callable[[str], str]
FAST = Settings(lengths=(1, 8), depths=(0.0, 0.5, 1.0), fps=25.0, size=64, crf=10)


@pytest.fixture
def needle(tmp_path: Path) -> Needle:
    """A white square, unlike any frame of the clips."""
    image = tmp_path / "note.png"
    Image.new("RGB", (40, 40), "white").save(image)
    return Needle(image, "What colour is the square?", "white", ("white", "black"))


def _frames(path: Path, fps: float) -> np.ndarray:
    meta = PyAVReader().probe(str(path))
    return PyAVReader().read(str(path), [i / fps for i in range(round(meta.duration * fps))])[0]


def test_the_needle_is_at_its_depth_among_the_host_frames(needle: Needle, tmp_path: Path, clip: Clip) -> None:
    assert make_needles(tmp_path / "out", [clip("h264.mp4")], [needle], FAST) == 6
    rows = {(row["length"], row["depth"]): row for row in json.loads((tmp_path / "out/needles.json").read_text())}
    assert [rows[8, depth]["second"] for depth in (0.0, 0.5, 1.0)] == pytest.approx([0.0, 4 / 25, 7 / 25])
    for depth, place in ((0.0, 0), (0.5, 4), (1.0, 7)):
        frames = _frames(tmp_path / "out" / rows[8, depth]["video"], FAST.fps)
        assert frames.shape == (8, 48, 64, 3)
        assert frames[place, 12:36, 20:44].min() > 230 and frames[place, :, :4].max() < 25  # in the middle, on black
        hosts = [number(frame) for index, frame in enumerate(frames) if index != place]
        assert hosts == list(range(7))
    assert len(_frames(tmp_path / "out" / rows[1, 0.0]["video"], FAST.fps)) == 1


def test_what_is_made_is_a_benchmark(needle: Needle, tmp_path: Path, clip: Clip) -> None:
    make_needles(tmp_path / "out", [clip("h264.mp4")], [needle], FAST)
    benchmark = VideoNeedle(str(tmp_path / "out"), multiple_choice=True)
    assert benchmark.verify().missing == () and len(benchmark) == 6
    assert {q.reference for q in benchmark.questions} == {"A"}
    assert {(q.groups["length"], q.groups["depth"]) for q in benchmark.questions} == {
        (length, depth) for length in ("1", "8") for depth in ("0", "0.5", "1")
    }


def test_hosts_are_joined_and_the_number_of_workers_changes_nothing(needle: Needle, tmp_path: Path, clip: Clip) -> None:
    settings = Settings(lengths=(46,), depths=(1.0,), fps=25.0, size=64, shown=2)
    hosts = [clip("h264.mp4"), clip("narrow.mp4")]
    for workers in (1, 2):
        make_needles(tmp_path / f"out{workers}", hosts, [needle], settings, workers)
    video = "videos/note_46_1.mp4"
    frames = _frames(tmp_path / "out1" / video, 25.0)
    assert [number(f) for f in frames[:40]] == list(range(40))
    assert [number(f[:, 8:56]) for f in frames[40:44]] == [0, 1, 2, 3]  # the square host between black bars
    assert frames[44:, 12:36, 20:44].min() > 230
    assert (tmp_path / "out1" / video).read_bytes() == (tmp_path / "out2" / video).read_bytes()
    assert not list((tmp_path / "out1").glob("tmp*"))


def test_hosts_that_are_too_short(needle: Needle, tmp_path: Path, clip: Clip) -> None:
    settings = Settings(lengths=(100,), fps=25.0, size=64)
    with pytest.raises(ValueError, match="takes 99 frames of the hosts, which have 40 at 25 frames per second"):
        make_needles(tmp_path / "out", [clip("h264.mp4")], [needle], settings)
    with pytest.raises(ValueError, match="no host videos"):
        make_needles(tmp_path / "out", [], [needle], settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lengths": (2, 8), "shown": 3}, r"at least the 3 frame\(s\) shown"),
        ({"depths": (0.0, 1.2)}, r"depths must lie in \[0, 1\]"),
        ({"fps": 0.0}, "fps must be positive"),
        ({"size": 33}, "size must be even"),
    ],
)
def test_settings_out_of_range(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(**arguments)


def test_needles_are_read_from_a_list(tmp_path: Path) -> None:
    rows = [
        {"image": "a.png", "question": "What?", "answer": "this"},
        {"image": "b.png", "question": "Which?", "answer": "x", "options": ["x", "y"]},
    ]
    write_json(tmp_path / "list.json", rows)
    first, second = read_needles(tmp_path / "list.json")
    assert first == Needle(tmp_path / "a.png", "What?", "this") and second.options == ("x", "y")
    write_json(tmp_path / "list.json", [rows[0], rows[0] | {"image": "other/a.jpg"}])
    with pytest.raises(ValueError, match="row 2: another needle's image is called 'a' too"):
        read_needles(tmp_path / "list.json")
    write_json(tmp_path / "list.json", [rows[1] | {"answer": "z"}])
    with pytest.raises(ValueError, match="'answer' is 'z', which is none of the options"):
        read_needles(tmp_path / "list.json")
    write_json(tmp_path / "list.json", [])
    with pytest.raises(ValueError, match="has no needles"):
        read_needles(tmp_path / "list.json")
