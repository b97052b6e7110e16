import json
import re
from pathlib import Path
from typing import Any

import pytest

from elva.datasets.benchmarks import MovingShapes
from elva.datasets.moving_shapes import SKILLS, Settings, make_moving_shapes


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("moving_shapes")
    make_moving_shapes(out, {"test": 5}, Settings(size=32, frames=4))
    return out


def _samples(root: Path) -> list[dict[str, Any]]:
    return json.loads((root / "test_qa.json").read_text())


def test_open_questions_with_known_answers(root: Path) -> None:
    benchmark = MovingShapes(str(root))
    assert {q.groups["skill"] for q in benchmark.questions} == set(SKILLS)
    for question, sample in zip(benchmark.questions, _samples(root), strict=True):
        assert question.id == sample["id"] and question.video == sample["video"]
        assert question.answer == sample["conversations"][1]["value"] == question.reference
        assert list(question.options) == sample["options"] and not question.is_choice
    assert benchmark.verify().missing == ()


def test_the_prompt_is_the_one_of_training(root: Path) -> None:
    item = MovingShapes(str(root)).raw(0)
    assert item["conversations"][0]["content"] == _samples(root)[0]["conversations"][0]["value"]


def test_as_multiple_choice(root: Path) -> None:
    benchmark = MovingShapes(str(root), multiple_choice=True)
    for question, sample in zip(benchmark.questions, _samples(root), strict=True):
        assert question.is_choice and question.correct is not None
        assert question.options[question.correct] == sample["conversations"][1]["value"]
    lines = benchmark.raw(0)["conversations"][0]["content"].split("\n")
    assert lines[2].startswith("A. ") and lines[-1].startswith("Answer with the option's letter")
    assert benchmark.protocol()["multiple_choice"] is True


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"options": ["up", "down"], "skill": "shape"}, "none of the options"),
        ({"conversations": []}, "expected one turn of 'human' and one of 'gpt'"),
        ({"skill": None}, "'skill' is empty"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], message: str, root: Path, tmp_path: Path) -> None:
    sample = next(s for s in _samples(root) if s["skill"] == "colour")
    (tmp_path / "test_qa.json").write_text(json.dumps([sample | change]))
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        MovingShapes(str(tmp_path))
    assert "test_qa.json: row 1" in str(error.value)


def test_another_split(root: Path) -> None:
    with pytest.raises(ValueError, match="split must be 'val' or 'test', got 'train'"):
        MovingShapes(str(root), split="train")
    with pytest.raises(FileNotFoundError, match="val_qa.json"):
        MovingShapes(str(root), split="val")
