import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from elva.datasets.benchmarks import MVBench
from elva.datasets.benchmarks.mvbench import TASKS
from elva.datasets.readers import FileOrFolderReader, FrameFolderReader, PyAVReader
from tests.test_datasets.test_benchmarks.layouts_a import PIPELINE, write_mvbench

THERE = ("action_sequence", "moving_count", "episodic_reasoning")


@pytest.fixture
def root(tmp_path: Path, clip: Callable[[str], str]) -> Path:
    write_mvbench(tmp_path, clip("h264.mp4"))
    return tmp_path


def test_twenty_tasks_in_the_published_order(root: Path) -> None:
    benchmark = MVBench(str(root))
    assert len(TASKS) == 20 and [q.groups["task"] for q in benchmark.questions] == list(TASKS)
    assert sum(task.bounded for task in TASKS.values()) == 5
    coverage = benchmark.verify()
    assert (coverage.questions, coverage.unanswerable) == (20, 17)


def test_videos_are_looked_for_in_both_releases(root: Path) -> None:
    sequence, count, episode = MVBench(str(root), tasks=THERE).questions
    assert sequence.video == "video/star/Charades_v1_480/ZS9XR.mp4" and sequence.bounds == (0.2, 0.6)
    assert count.video == "video/data0613/clevrer/video_validation/video_10009.mp4" and count.bounds is None
    assert episode.video == "video/tvqa/frames_fps3_hq/friends_s03e09_seg02_clip_07" and episode.bounds == (1.0, 2.0)
    assert sequence.reference == "B" and sequence.id == "action_sequence-0"


def test_the_prompt(root: Path) -> None:
    expected = "Question: What happened?\nOptions:\n(A) a jump\n(B) a fall\n(C) nothing\nOnly give the best option."
    assert MVBench(str(root)).raw(0)["conversations"][0]["content"] == f"<video>\n{expected}"


def test_only_the_part_that_is_asked_about_is_read(root: Path) -> None:
    item = MVBench(str(root), pipeline=PIPELINE, tasks=THERE)[0]
    seconds = item["clips"][0].plan.seconds
    assert len(seconds) == 4 and all(0.2 - 1 / 25 <= second <= 0.6 for second in seconds)
    whole = MVBench(str(root), pipeline=PIPELINE, tasks=THERE)[1]["clips"][0].plan.seconds
    assert whole[0] == 0 and whole[-1] > 1.5


def test_folders_of_frames_are_read_through_the_models_own_pipeline(root: Path) -> None:
    benchmark = MVBench(str(root), pipeline=PIPELINE, tasks=THERE)
    reader = benchmark.transforms[0].reader
    assert isinstance(reader, FileOrFolderReader) and isinstance(reader.file, PyAVReader)
    assert isinstance(reader.folder, FrameFolderReader) and reader.folder.fps == 3
    clip = benchmark[2]["clips"][0]
    assert clip.plan.seconds[0] == 1.0 and clip.plan.seconds[-1] < 2.0
    shown = clip.pixels[0].float().mean((1, 2, 3))
    wanted = [20 * round(second * 3) for second in clip.plan.seconds]  # frame k is shown at k / 3 and is 20 k bright
    assert shown.tolist() == pytest.approx(wanted, abs=2)
    assert PIPELINE[0]["reader"] == {"type": "PyAVReader"}  # the model's config stays as it was


def test_an_empty_part_is_none(root: Path) -> None:
    path = root / "json/action_sequence.json"
    rows = json.loads(path.read_text())
    for start, end in ((2.0, 2.0), (5.0, 1.0), (float("nan"), 1.0)):
        path.write_text(json.dumps([rows[0] | {"start": start, "end": end}]))
        assert MVBench(str(root), tasks=["action_sequence"]).questions[0].bounds is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": "a climb"}, "action_sequence.json: row 1: question 'action_sequence-0': 'answer' is 'a climb'"),
        ({"candidates": "a fall"}, "'candidates' must be a list of texts, got 'a fall'"),
        ({"start": "late"}, "'start' must be a number, got 'late'"),
    ],
)
def test_what_is_wrong_is_named(root: Path, change: dict[str, object], message: str) -> None:
    path = root / "json/action_sequence.json"
    path.write_text(json.dumps([json.loads(path.read_text())[0] | change]))
    with pytest.raises(ValueError, match=re.escape(message)):
        MVBench(str(root))


def test_missing_and_unknown_tasks(root: Path) -> None:
    (root / "json/moving_count.json").unlink()
    (root / "json/action_count.json").unlink()
    with pytest.raises(FileNotFoundError) as error:
        MVBench(str(root))
    assert "action_count.json" in str(error.value) and "moving_count.json" in str(error.value)
    with pytest.raises(ValueError, match="tasks must be some of"):
        MVBench(str(root), tasks=["jumping"])
