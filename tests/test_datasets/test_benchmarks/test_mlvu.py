import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from elva.datasets.benchmarks import MLVU
from elva.datasets.benchmarks.mlvu import CHOICE_TASKS, OPEN_TASKS
from tests.test_datasets.test_benchmarks.layouts_a import PIPELINE, write_mlvu


@pytest.fixture
def root(tmp_path: Path, clip: Callable[[str], str]) -> Path:
    write_mlvu(tmp_path, clip("h264.mp4"))
    return tmp_path


def test_seven_tasks_of_multiple_choice(root: Path) -> None:
    benchmark = MLVU(str(root), pipeline=PIPELINE)
    assert [q.groups["task"] for q in benchmark.questions] == list(CHOICE_TASKS)
    first = benchmark.questions[0]
    assert (first.id, first.video, first.reference) == ("plot_qa-0", "video/1_plotQA/movie101_66.mp4", "B")
    assert benchmark.verify().missing == () and len(benchmark[6]["clips"][0].plan) == 4
    assert benchmark.raw(0)["conversations"][0]["content"] == (
        "<video>\nCarefully watch this video and pay attention to every detail. Based on your observations, select the "
        "best option that accurately addresses the question.\nQuestion: What colour is it?\nOptions:\n(A) Yellow\n"
        "(B) Red\n(C) Green\n(D) Blue\nOnly give the best option."
    )


def test_long_answers_are_a_run_of_their_own(root: Path) -> None:
    benchmark = MLVU(str(root), tasks=tuple(OPEN_TASKS))
    assert [(q.id, q.answer) for q in benchmark.questions] == [
        ("sub_scene-0", "A long text."),
        ("summary-0", "A long text."),
    ]
    asked = benchmark.raw(0)["conversations"][0]["content"]
    assert asked.endswith("answer the given questions.\nWhat colour is it?") and not benchmark.questions[0].is_choice
    with pytest.raises(ValueError, match="sub_scene, summary are scored differently"):
        MLVU(str(root), tasks=("plot_qa", "summary"))


def test_a_prompt_of_ones_own_is_used_for_either(root: Path) -> None:
    prompt = {"type": "OpenPrompt", "after": "Briefly."}
    assert MLVU(str(root), tasks=("summary",), prompt=prompt).raw(0)["conversations"][0]["content"].endswith("Briefly.")


def test_what_is_wrong_is_named(root: Path) -> None:
    path = root / "json/4_count.json"
    row = json.loads(path.read_text())[0]
    path.write_text(json.dumps([row, row | {"answer": "Black"}]))
    with pytest.raises(ValueError, match=re.escape("4_count.json: row 2: question 'count-1': 'answer' is 'Black'")):
        MLVU(str(root))
    with pytest.raises(ValueError, match="tasks must be some of plot_qa"):
        MLVU(str(root), tasks=("jumping",))
    path.unlink()
    with pytest.raises(FileNotFoundError, match="4_count.json"):
        MLVU(str(root))
