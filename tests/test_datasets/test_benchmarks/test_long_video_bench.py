import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from elva.datasets.benchmarks import LongVideoBench
from tests.test_datasets.test_benchmarks.layouts_a import PIPELINE, write_json, write_long_video_bench

Clip = Callable[[str], str]


@pytest.fixture
def root(tmp_path: Path, clip: Clip) -> Path:
    write_long_video_bench(tmp_path, clip("h264.mp4"))
    return tmp_path


def test_questions(root: Path) -> None:
    first, second = LongVideoBench(str(root)).questions
    assert (first.id, first.video, first.reference) == ("86CxyhFV9MI_0", "videos/86CxyhFV9MI.mp4", "B")
    assert first.subtitles == "subtitles/86CxyhFV9MI_en.json" and second.subtitles_from == 30
    assert first.groups == {
        "duration": "600",
        "question": "T2E",
        "topic": "NP-News-Programs",
        "level": "L1-Perception",
    }
    assert len(first.options) == 3 and second.reference == "E"


def test_tables_hold_the_same(root: Path, tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> None:
    other = tmp_path_factory.mktemp("tables")
    write_long_video_bench(other, clip("h264.mp4"), tables=True)
    for split in ("val", "test"):
        assert LongVideoBench(str(other), split).questions == LongVideoBench(str(root), split).questions


def test_lines_stand_between_the_frames(root: Path) -> None:
    """Frames at 0, 0.52, 1.04 and 1.56 s: each line behind the last one before the middle of its time."""
    item = LongVideoBench(str(root), pipeline=PIPELINE, subtitles="interleaved")[0]
    asked = item["conversations"][0]["content"]
    assert asked.startswith("<video>\nrun away\n<video>\nand back\n<video>\nWhat is on the screen")
    assert [len(clip.plan) for clip in item["clips"]] == [1, 2, 1] and len(item["videos"]) == 3


def test_subtitles_of_a_part_start_later_and_the_last_line_has_no_end(root: Path) -> None:
    item = LongVideoBench(str(root), pipeline=PIPELINE, subtitles="interleaved")[1]
    assert item["conversations"][0]["content"].startswith(
        "<video>\nla la\n<video>\nthe end\n<video>\nWhat follows?\nA. A"
    )
    assert [len(clip.plan) for clip in item["clips"]] == [1, 2, 1]


def test_a_missing_subtitle_file_is_an_error_of_that_question(root: Path) -> None:
    (root / "subtitles/vid2.json").unlink()
    benchmark = LongVideoBench(str(root), pipeline=PIPELINE, subtitles="interleaved")
    assert "error" not in benchmark[0]
    assert "question 'vid2_1' has no subtitles" in benchmark[1]["error"] and "vid2.json" in benchmark[1]["error"]
    assert benchmark.verify().missing_subtitles == ("subtitles/vid2.json",)
    (root / "subtitles").rename(root / "elsewhere")
    with pytest.raises(FileNotFoundError, match="subtitles"):
        LongVideoBench(str(root), subtitles="full")


def test_the_test_split_is_handed_in(root: Path) -> None:
    benchmark = LongVideoBench(str(root), split="test")
    assert [question.reference for question in benchmark.questions] == [None, None]
    records = [
        {"question_id": "86CxyhFV9MI_0", "parsed": "C", "raw": "(C) A boy"},
        {"question_id": "vid2_1", "parsed": None, "raw": "who knows"},
    ]
    assert benchmark.submission(records) == {"86CxyhFV9MI_0": "C", "vid2_1": "who knows"}
    assert LongVideoBench(str(root)).submission(records) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"correct_choice": 3}, "row 1: question '86CxyhFV9MI_0': 'correct_choice' must lie in [0, 2], got 3"),
        ({"starting_timestamp_for_subtitles": "x"}, "'starting_timestamp_for_subtitles' must be a number, got 'x'"),
        (
            {"candidates": None, **{f"option{n}": text for n, text in enumerate(["a", "N/A", "c", "N/A", "N/A"])}},
            "'N/A'",
        ),
    ],
)
def test_what_is_wrong_is_named(root: Path, change: dict[str, object], message: str) -> None:
    path = root / "lvb_val.json"
    rows = json.loads(path.read_text())
    write_json(path, [rows[0] | change, rows[1]])
    with pytest.raises(ValueError, match=re.escape(message)):
        LongVideoBench(str(root))


def test_another_split_and_missing_files(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(ValueError, match="split must be 'val' or 'test', got 'train'"):
        LongVideoBench(str(root), split="train")
    with pytest.raises(FileNotFoundError, match="lvb_val.json"):
        LongVideoBench(str(tmp_path_factory.mktemp("empty")))
