import re
from collections.abc import Callable
from pathlib import Path

import pytest

from elva.datasets.benchmarks import NExTOE, NExTQA
from tests.test_datasets.test_benchmarks.layouts_a import NEXT_QA, PIPELINE, write_csv, write_json, write_next_qa


@pytest.fixture
def root(tmp_path: Path, clip: Callable[[str], str]) -> Path:
    write_next_qa(tmp_path, clip("h264.mp4"))
    return tmp_path


def test_multiple_choice(root: Path) -> None:
    first, second = NExTQA(str(root)).questions
    assert (first.id, first.reference) == ("4010069381_6", "A") and first.options[4] == "pat, with a hand"
    assert first.video == "NExTVideo/1164/4010069381.mp4" and first.cluster == "4010069381"
    assert first.groups == {"kind": "causal", "type": "CH"}
    assert second.reference == "E" and second.groups == {"kind": "temporal", "type": "TN"}  # TP counts as TN
    assert NExTQA(str(root)).raw(1)["conversations"][0]["content"] == (
        "<video>\nwhat did he do before he sat\nA. sing\nB. run\nC. wave\nD. bow\nE. stand\n"
        "Answer with the option's letter from the given choices directly."
    )


def test_open_ended_with_another_right_answer(root: Path) -> None:
    benchmark = NExTOE(str(root))
    first, second = benchmark.questions
    assert (first.id, first.answer, first.alternatives) == ("4010069381_1", "two", ())
    assert second.alternatives == ("rest",) and second.groups == {"kind": "causal", "type": "CW"}
    item = benchmark.raw(1)
    assert item["meta"]["alternatives"] == ["rest"] and item["conversations"][1]["content"] == "to play"
    assert item["conversations"][0]["content"] == (
        "<video>\nwhy does he sit\nAnswer a question using a short phrase or sentence."
    )


def test_videos_may_lie_in_one_folder(root: Path) -> None:
    (root / "NExTVideo/1164/4010069381.mp4").rename(root / "NExTVideo/4010069381.mp4")
    benchmark = NExTQA(str(root), pipeline=PIPELINE)
    assert benchmark.verify().missing == () and len(benchmark[0]["clips"][0].plan) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": 5}, "test.csv: row 1: question '4010069381_6': 'answer' must lie in [0, 4], got 5"),
        ({"answer": "roll the handle"}, "'answer' must be a number, got 'roll the handle'"),
        ({"video": 7}, "video '7' is not in"),
        ({"type": "XX"}, "'type' must begin with one of C, T, D, got 'XX'"),
        ({"qid": 7}, "among them '4010069381_7'"),
    ],
)
def test_what_is_wrong_is_named(root: Path, change: dict[str, object], message: str) -> None:
    write_csv(root / "test.csv", [NEXT_QA[0] | change, NEXT_QA[1]])
    with pytest.raises(ValueError, match=re.escape(message)):
        NExTQA(str(root))


def test_the_open_ended_file_is_told_from_the_other(root: Path) -> None:
    """Both are called ``test.csv``."""
    (root / "test.csv").write_bytes((root / "open_ended/test.csv").read_bytes())
    with pytest.raises(ValueError, match="there is no 'a0'"):
        NExTQA(str(root))


def test_splits_and_missing_files(root: Path) -> None:
    with pytest.raises(ValueError, match="split must be one of train, val, test, got 'dev'"):
        NExTOE(str(root), split="dev")
    with pytest.raises(FileNotFoundError, match=r"val\.csv"):
        NExTQA(str(root), split="val")
    (root / "open_ended/add_reference_answer_test.json").unlink()
    with pytest.raises(FileNotFoundError, match="add_reference_answer_test.json"):
        NExTOE(str(root))
    write_json(root / "map_vid_vidorID.json", [])
    with pytest.raises(ValueError, match="must hold an object, got a list"):
        NExTQA(str(root))
