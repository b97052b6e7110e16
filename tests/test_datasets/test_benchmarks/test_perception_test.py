import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from elva.datasets.benchmarks import PerceptionTest
from tests.test_datasets.test_benchmarks.layouts_b import write_perception_test


@pytest.fixture
def root(tmp_path: Path, clip: Callable[[str], str]) -> Path:
    write_perception_test(tmp_path, clip("h264.mp4"))
    return tmp_path


def test_questions_of_the_validation_split(root: Path) -> None:
    benchmark = PerceptionTest(str(root))
    first, second = benchmark.questions
    assert (first.id, second.id) == ("video_7_0", "video_7_1")
    assert first.reference == "C" and first.options[2] == "moving"
    assert first.groups == {"area": "semantics", "reasoning": "descriptive"} and second.groups["area"] == "physics"
    assert first.video == "videos/video_7.mp4" and benchmark.verify().missing == ()
    assert benchmark.raw(0)["conversations"][0]["content"] == (
        "<video>\nIs the camera moving or static?\nA. static or shaking\nB. I don't know\nC. moving\n"
        "Answer with the option's letter from the given choices directly."
    )


def test_the_test_split_has_no_answers(root: Path) -> None:
    benchmark = PerceptionTest(str(root), split="test")
    assert benchmark.questions[0].reference is None and not benchmark.raw(0)["meta"]["labelled"]
    assert benchmark.protocol()["split"] == "test"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer_id": 3}, "video 'video_7': question 0: 'answer_id' must lie in [0, 2], got 3"),
        ({"options": "moving"}, "'options' must be a list of texts, got 'moving'"),
        ({"question": ""}, "'question' must be text"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, object], message: str, root: Path) -> None:
    file = root / "mc_question_valid.json"
    content = json.loads(file.read_text())
    content["video_7"]["mc_question"][0] |= change
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        PerceptionTest(str(root))
    assert str(file) in str(error.value)


@pytest.mark.parametrize("content", [{"video_7": {}}, {"video_7": {"mc_question": ["x"]}}, {"video_7": None}])
def test_a_video_without_a_list_of_questions(content: dict[str, object], root: Path) -> None:
    (root / "mc_question_valid.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="video 'video_7': expected a list of objects in 'mc_question'"):
        PerceptionTest(str(root))


def test_another_split_and_a_missing_file(root: Path) -> None:
    with pytest.raises(ValueError, match="split must be 'train', 'valid' or 'test', got 'val'"):
        PerceptionTest(str(root), split="val")
    with pytest.raises(FileNotFoundError, match="mc_question_train.json"):
        PerceptionTest(str(root), split="train")
