import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elva.datasets.benchmarks import TempCompass
from tests.test_datasets.test_benchmarks.layouts_b import TEMP_COMPASS, write_json, write_temp_compass

PROMPTS = {
    "multi-choice": (
        "What is the man doing?\nA. dunking a basketball\nB. dribbling a basketball\n"
        "Please directly give the best option:"
    ),
    "yes_no": "Is the man dunking?\nPlease answer yes or no:",
    "caption_matching": (
        "Which description matches the video?\nA. He runs.\nB. He: stops.\nPlease directly give the best option:"
    ),
    "captioning": TEMP_COMPASS["captioning"]["question"],
}


@pytest.fixture
def root(tmp_path: Path, clip: Callable[[str], str]) -> Path:
    write_temp_compass(tmp_path, clip("h264.mp4"))
    return tmp_path


@pytest.mark.parametrize("task", TEMP_COMPASS)
def test_prompts_are_the_published_ones(task: str, root: Path) -> None:
    benchmark = TempCompass(str(root), task)
    assert benchmark.raw(0)["conversations"][0]["content"] == f"<video>\n{PROMPTS[task]}"
    assert benchmark.protocol()["task"] == task


@pytest.mark.parametrize("task", ["multi-choice", "yes_no", "caption_matching"])
def test_the_second_option_is_right(task: str, root: Path) -> None:
    question = TempCompass(str(root), task).questions[0]
    assert question.is_choice and question.reference == "B"


def test_captions_are_open_questions(root: Path) -> None:
    question = TempCompass(str(root), "captioning").questions[0]
    assert question.reference == "A. dunking a basketball" and not question.is_choice


def test_ids_groups_and_clusters(root: Path) -> None:
    benchmark = TempCompass(str(root))
    assert [q.id for q in benchmark.questions] == [
        "multi-choice_1034_action_0",
        "multi-choice_1034_action_1",
        "multi-choice_1034_speed_0",
        "multi-choice_1034_reverse_direction_0",
    ]
    assert [q.groups["aspect"] for q in benchmark.questions] == ["action", "action", "speed", "direction"]
    assert {q.cluster for q in benchmark.questions} == {"1034"}
    assert benchmark.questions[3].video == "videos/1034_reverse.mp4" and benchmark.verify().missing == ()


def test_by_logits_yes_and_no_are_the_choices(root: Path) -> None:
    assert TempCompass(str(root), "yes_no", scoring="logits").raw(0)["choices"] == ("yes", "no")
    assert TempCompass(str(root), "multi-choice", scoring="logits").raw(0)["choices"] == ("A", "B")
    assert TempCompass(str(root), "yes_no").raw(0)["choices"] == ()


@pytest.mark.parametrize(
    ("task", "change", "message"),
    [
        ("multi-choice", {"answer": "C. running"}, "the 'answer' 'C. running' is none of the options A, B"),
        ("multi-choice", {"question": "What is it?"}, "at least two lines of options"),
        ("multi-choice", {"question": "What?\nA. this\nthat"}, "at least two lines of options"),
        ("multi-choice", {"question": "What?\nA. this\nB. that\nor so"}, "lines of options in 'question', got"),
        ("caption_matching", {"answer": "He: stops."}, "is none of the options Option 1, Option 2"),
        ("yes_no", {"answer": "maybe"}, "'answer' is 'maybe', which is none of the options"),
    ],
)
def test_what_is_wrong_is_named(task: str, change: dict[str, Any], message: str, root: Path) -> None:
    write_json(root / f"questions/{task}.json", {"1034": {"action": [TEMP_COMPASS[task] | change]}})
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        TempCompass(str(root), task)
    assert f"{task}.json: video '1034': action: question 0" in str(error.value)


@pytest.mark.parametrize("content", [{"1034": []}, {"1034": {"action": {}}}, {"1034": {"action": [1]}}])
def test_a_file_of_another_shape(content: dict[str, Any], root: Path) -> None:
    (root / "questions/yes_no.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="video '1034'.*expected"):
        TempCompass(str(root), "yes_no")


def test_an_unknown_task_and_a_missing_file(root: Path) -> None:
    with pytest.raises(ValueError, match="task must be one of multi-choice, yes_no, caption_matching, captioning"):
        TempCompass(str(root), "yes-no")
    (root / "questions/yes_no.json").unlink()
    with pytest.raises(FileNotFoundError, match="yes_no.json"):
        TempCompass(str(root), "yes_no")
