import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from elva.datasets.benchmarks import ActivityNetQA
from elva.registry import DATASETS
from tests.test_datasets.test_benchmarks.layouts_b import write_activitynet_qa

Clip = Callable[[str], str]


@pytest.fixture
def root(tmp_path: Path, clip: Clip) -> Path:
    write_activitynet_qa(tmp_path, clip("h264.mp4"))
    return tmp_path


def test_each_question_has_the_answer_of_its_id(root: Path) -> None:
    first, second = DATASETS.build({"type": "ActivityNetQA", "data_root": str(root)}).questions
    assert first.id == "v_1QIUV7WYKXg_3" and first.answer == "yes"
    assert first.groups == {"type": "yes/no", "question": "free"}
    assert second.answer == "he falls" and second.groups == {"type": "temporal", "question": "temporal"}


def test_videos_are_found_whatever_their_suffix(root: Path) -> None:
    benchmark = ActivityNetQA(str(root))
    assert [q.video for q in benchmark.questions] == ["all_test/v_1QIUV7WYKXg.mkv", "all_test/v_9eniCub7u60.mp4"]
    assert benchmark.verify().missing == ()
    (root / "all_test/v_9eniCub7u60.mp4").unlink()
    assert ActivityNetQA(str(root)).verify().missing == ("all_test/v_9eniCub7u60.mp4",)


def test_the_prompt_is_that_of_lmms_eval(root: Path) -> None:
    item = ActivityNetQA(str(root)).raw(0)
    asked = "is the athlete wearing trousers?\nAnswer the question using a single word or phrase."
    assert item["conversations"][0]["content"] == f"<video>\n{asked}"
    assert item["conversations"][1]["content"] == "yes" and item["choices"] == ()


def test_the_split_names_the_files_and_stands_in_the_protocol(root: Path) -> None:
    assert ActivityNetQA(str(root)).protocol()["split"] == "test"
    with pytest.raises(FileNotFoundError) as error:
        ActivityNetQA(str(root), split="val")
    assert str(root / "val_q.json") in str(error.value) and str(root / "val_a.json") in str(error.value)
    with pytest.raises(ValueError, match="split must be 'train', 'val' or 'test', got 'dev'"):
        ActivityNetQA(str(root), split="dev")


def _edit(path: Path, number: int, **values: object) -> None:
    rows = json.loads(path.read_text())
    rows[number] |= values
    path.write_text(json.dumps(rows))


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("test_a.json", {"type": 9}, "test_a.json: row 1: 'type' must lie in [0, 8], got 9"),
        ("test_a.json", {"answer": None}, "test_a.json: row 1: 'answer' is empty"),
        ("test_a.json", {"question_id": "other"}, "question 'v_9eniCub7u60_2' has no answer in"),
        ("test_q.json", {"question_id": "v_9eniCub7u60_2"}, "stood in"),
        ("test_q.json", {"question_id": "v_9eniCub7u60_2"}, "question 'v_9eniCub7u60_2'"),
        ("test_q.json", {"question": 7.5}, "test_q.json: row 1: 'question' must be text, got 7.5"),
    ],
)
def test_what_is_wrong_is_named(root: Path, file: str, change: dict[str, object], message: str) -> None:
    _edit(root / file, 0, **change)
    with pytest.raises(ValueError, match=re.escape(message)):
        ActivityNetQA(str(root))


def test_an_answer_without_a_question_is_an_error(root: Path) -> None:
    path = root / "test_a.json"
    path.write_text(json.dumps([*json.loads(path.read_text()), {"answer": "no", "type": 3, "question_id": "extra"}]))
    with pytest.raises(ValueError, match="question 'extra' is not in"):
        ActivityNetQA(str(root))
