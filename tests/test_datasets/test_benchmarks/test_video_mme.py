import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from elva.datasets.benchmarks import VideoMME
from elva.registry import DATASETS
from tests.test_datasets.test_benchmarks.layouts_a import PIPELINE, VIDEO_MME, write_parquet, write_video_mme

ASKED = (
    "Select the best answer to the following multiple-choice question based on the video{}. Respond with only "
    "the letter (A, B, C, or D) of the correct option.\nHow many birds fly off?\nA. Apples.\nB. Candles.\nC. Berries.\n"
    "D. The three kinds are of the same number.\nThe best answer is:"
)


@pytest.fixture
def root(tmp_path: Path, clip: Callable[[str], str]) -> Path:
    write_video_mme(tmp_path, clip("h264.mp4"))
    return tmp_path


def test_questions(root: Path) -> None:
    first, second = DATASETS.build({"type": "VideoMME", "data_root": str(root)}).questions
    assert (first.id, first.video, first.reference) == ("001-1", "data/fFjv93ACGo8.mp4", "C")
    assert first.options == ("Apples.", "Candles.", "Berries.", "The three kinds are of the same number.")
    assert first.groups == {
        "duration": "short",
        "domain": "Knowledge",
        "sub_category": "Humanity & History",
        "task": "Counting Problem",
    }
    assert second.video == "data/N1cdUjctpG8.MP4" and second.groups["duration"] == "long"


def test_without_subtitles_the_published_prompt_is_sent(root: Path) -> None:
    shutil.rmtree(root / "subtitle")
    item = VideoMME(str(root), pipeline=PIPELINE)[0]
    assert item["conversations"][0]["content"] == "<video>\n" + ASKED.format("")
    assert len(item["clips"]) == 1 and item["bounds"] == [None]


@pytest.mark.parametrize(
    ("mode", "said"), [("full", "good evening\nto everybody"), ("frames", "good evening\nto everybody")]
)
def test_subtitles_stand_in_front(root: Path, mode: str, said: str) -> None:
    item = VideoMME(str(root), pipeline=PIPELINE, subtitles=mode)[0]
    expected = f"<video>\nThis video's subtitles are listed below:\n{said}\n" + ASKED.format(" and the subtitles")
    assert item["conversations"][0]["content"] == expected


def test_only_what_is_said_at_the_frames(root: Path) -> None:
    one = [{**PIPELINE[0], "sampler": {"type": "UniformSampler", "num_frames": 1}}]
    item = VideoMME(str(root), pipeline=one, subtitles="frames")[0]
    second = item["clips"][0].plan.seconds[0]
    assert ("good evening" in item["conversations"][0]["content"]) == (second < 0.4)
    assert ("to everybody" in item["conversations"][0]["content"]) == (0.4 <= second < 1.0)


def test_a_video_without_subtitles_is_asked_and_the_prompt_says_so(root: Path) -> None:
    benchmark = VideoMME(str(root), pipeline=PIPELINE, subtitles="full")
    asked = benchmark[1]["conversations"][0]["content"]
    assert asked.startswith(
        "<video>\nThis video's subtitles are listed below:\nNo subtitles available\nSelect the best"
    )
    coverage = benchmark.verify()
    assert coverage.share == 1 and coverage.subtitles == 2
    assert coverage.missing_subtitles == ("subtitle/N1cdUjctpG8.srt",)


def test_without_the_folder_of_subtitles_they_cannot_be_used(root: Path) -> None:
    shutil.rmtree(root / "subtitle")
    with pytest.raises(FileNotFoundError, match=str(root / "subtitle")):
        VideoMME(str(root), subtitles="full")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": "E"}, "row 1: question '001-1': 'answer' is 'E', which is none of the options"),
        ({"options": None}, "'options' is empty"),
        ({"question_id": "601-1"}, "1 ids of questions are not unique, among them '601-1'"),
    ],
)
def test_what_is_wrong_is_named(root: Path, change: dict[str, object], message: str) -> None:
    rows = [VIDEO_MME[0] | change, VIDEO_MME[1]]
    write_parquet(root / "videomme/test-00000-of-00001.parquet", rows)
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        VideoMME(str(root))
    assert "test-00000-of-00001.parquet" in str(error.value)


def test_a_file_that_is_no_table(root: Path) -> None:
    (root / "videomme/test-00000-of-00001.parquet").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(ValueError, match="cannot be read as Parquet"):
        VideoMME(str(root))


def test_results_in_the_form_of_the_published_script(root: Path) -> None:
    records = [{"question_id": "001-1", "raw": "C."}, {"question_id": "601-1", "raw": "", "error": "is empty"}]
    first, second = VideoMME(str(root)).submission(records)
    assert first == {
        "video_id": "001",
        "duration_category": "short",
        "video_category": "Knowledge",
        "video_subcategory": "Humanity & History",
        "missing": False,
        "questions": [
            {
                "question_id": "001-1",
                "task_type": "Counting Problem",
                "question": "How many birds fly off?",
                "choices": VIDEO_MME[0]["options"],
                "answer": "C",
                "response": "C.",
            }
        ],
    }
    assert second["missing"] and second["duration_category"] == "long"
