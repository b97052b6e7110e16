import re
from collections.abc import Callable
from pathlib import Path

import pytest

from elva.datasets.benchmarks import EgoSchema
from tests.test_datasets.test_benchmarks.layouts_a import EGOSCHEMA, PIPELINE, write_egoschema, write_json

NAMES = [row["q_uid"] for row in EGOSCHEMA]


@pytest.fixture
def root(tmp_path: Path, clip: Callable[[str], str]) -> Path:
    write_egoschema(tmp_path, clip("h264.mp4"))
    return tmp_path


def test_the_subset_is_what_has_a_published_answer(root: Path) -> None:
    benchmark = EgoSchema(str(root), pipeline=PIPELINE)
    (question,) = benchmark.questions
    assert (question.id, question.reference) == (NAMES[1], "D") and question.options[3] == "C does thing 3."
    assert question.video == f"videos/{NAMES[1]}.mp4" and len(benchmark[0]["clips"][0].plan) == 4
    assert benchmark.submission([{"question_id": NAMES[1], "parsed": "D"}]) is None
    assert benchmark.protocol()["subset"] is True


def test_the_full_set_is_handed_in(root: Path) -> None:
    benchmark = EgoSchema(str(root), subset=False)
    assert [question.reference for question in benchmark.questions] == [None, "D", None]
    assert [benchmark.raw(index)["meta"]["labelled"] for index in range(3)] == [False, True, False]
    records = [{"question_id": name, "parsed": letter} for name, letter in zip(NAMES, ("A", "E", None), strict=True)]
    assert benchmark.submission(records) == {NAMES[0]: 0, NAMES[1]: 4, NAMES[2]: -1}


def test_of_rotated_questions_the_unrotated_one_is_handed_in(root: Path) -> None:
    records = [{"question_id": NAMES[0], "parsed": "AB"[by], "rotation": by} for by in range(2)]
    assert EgoSchema(str(root), subset=False, circular=True).submission(records) == {NAMES[0]: 0}


@pytest.mark.parametrize(
    ("change", "answers", "message"),
    [
        ({}, {NAMES[1]: 5}, f"subset_answers.json: '{NAMES[1]}' must lie in [0, 4], got 5"),
        ({}, {"other": 1}, "question 'other' is not in"),
        ({"option 4": None}, {NAMES[0]: 1}, f"questions.json: row 1: question '{NAMES[0]}': 'option 4' is empty"),
        ({"question": None}, {NAMES[0]: 1}, "'question' is empty"),
    ],
)
def test_what_is_wrong_is_named(root: Path, change: dict[str, object], answers: dict[str, int], message: str) -> None:
    write_json(root / "questions.json", [EGOSCHEMA[0] | change, *EGOSCHEMA[1:]])
    write_json(root / "subset_answers.json", answers)
    with pytest.raises(ValueError, match=re.escape(message)):
        EgoSchema(str(root))


def test_a_question_twice_is_an_error(root: Path) -> None:
    write_json(root / "questions.json", [EGOSCHEMA[1], *EGOSCHEMA])
    with pytest.raises(ValueError, match=f"row 3: question '{NAMES[1]}': stood"):
        EgoSchema(str(root))


def test_missing_files_are_named_together(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error:
        EgoSchema(str(tmp_path))
    assert "questions.json" in str(error.value) and "subset_answers.json" in str(error.value)
