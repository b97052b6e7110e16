from pathlib import Path

import pytest

from elva.datasets.benchmarks import VideoNeedle
from tests.test_datasets.test_benchmarks.layouts_a import write_json

ROW = {
    "id": "note_16_0.5",
    "video": "videos/note_16_0.5.mp4",
    "needle": "note.png",
    "question": "What is written on the note?",
    "answer": "blue",
    "length": 16,
    "depth": 0.5,
    "second": 8.0,
    "seconds": 1.0,
    "options": ["red", "blue"],
}


def test_open_questions(tmp_path: Path) -> None:
    write_json(tmp_path / "needles.json", [ROW, {k: v for k, v in ROW.items() if k != "options"} | {"id": "plain"}])
    benchmark = VideoNeedle(str(tmp_path))
    first, second = benchmark.questions
    assert first.answer == "blue" and first.options == ("red", "blue") and not first.is_choice
    assert first.groups == {"length": "16", "depth": "0.5"} and first.cluster == "note.png"
    assert second.options == ()
    assert benchmark.raw(0)["conversations"][0]["content"].endswith("using a single word or phrase.")


def test_multiple_choice(tmp_path: Path) -> None:
    write_json(tmp_path / "needles.json", [ROW])
    benchmark = VideoNeedle(str(tmp_path), multiple_choice=True)
    assert (
        benchmark.questions[0].reference == "B" and "A. red\nB. blue" in benchmark.raw(0)["conversations"][0]["content"]
    )
    assert benchmark.protocol()["multiple_choice"] is True


@pytest.mark.parametrize(
    ("change", "choice", "message"),
    [
        ({"depth": 1.5}, False, "'depth' is a share from 0 to 1, got 1.5"),
        ({"length": 0}, False, "'length'"),
        ({"options": None}, True, "'options' is empty"),
        ({"answer": "green"}, True, "'answer' is 'green', which is none of the options"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, object], choice: bool, message: str, tmp_path: Path) -> None:
    write_json(tmp_path / "needles.json", [ROW | change])
    with pytest.raises(ValueError, match=f"needles.json: row 1: question 'note_16_0.5': .*{message}"):
        VideoNeedle(str(tmp_path), multiple_choice=choice)


def test_without_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="needles.json"):
        VideoNeedle(str(tmp_path))
