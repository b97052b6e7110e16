import re
from collections.abc import Callable
from pathlib import Path

import pytest

from elva.datasets.benchmarks import TGIFQA
from elva.datasets.readers import PyAVReader
from tests.test_datasets.test_benchmarks.layouts_b import TGIF_FILES, write_tgif_qa, write_zero_shot

LETTERS = "Answer with the option's letter from the given choices directly."


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_tgif_qa(tmp_path)
    return tmp_path


def _prompt(benchmark: TGIFQA) -> str:
    return benchmark.raw(0)["conversations"][0]["content"].removeprefix("<video>\n")


def test_frame_questions(root: Path) -> None:
    benchmark = TGIFQA(str(root), layout="original")
    (question,) = benchmark.questions
    assert (question.id, question.answer, question.groups) == ("FRAMEQA4460", "black", {"type": "color"})
    assert question.video == "gifs/tumblr_a.gif"
    assert _prompt(benchmark) == (
        "what is the color of the shirt ?\nAnswer the question using a single word or phrase."
    )


def test_counts_are_open_questions(root: Path) -> None:
    benchmark = TGIFQA(str(root), "count", "original")
    assert [(q.id, q.answer, q.is_choice) for q in benchmark.questions] == [
        ("COUNT12", "3", False),
        ("COUNT46", "10", False),
    ]
    assert _prompt(benchmark).endswith("\nAnswer the question with a whole number.")
    assert benchmark.verify().missing == ("gifs/tumblr_b.gif",)


@pytest.mark.parametrize(("task", "right"), [("action", "adjust waistband"), ("transition", "tilt head")])
def test_multiple_choice_of_five(task: str, right: str, root: Path) -> None:
    benchmark = TGIFQA(str(root), task, "original")
    (question,) = benchmark.questions
    assert question.is_choice and len(question.options) == 5
    assert question.correct is not None and question.options[question.correct] == right
    assert _prompt(benchmark).endswith(f"E. {question.options[4]}\n{LETTERS}")
    assert benchmark.protocol()["task"] == task


def test_zero_shot_is_frame_questions_in_mp4(tmp_path: Path, clip: Callable[[str], str]) -> None:
    write_zero_shot(tmp_path, clip("h264.mp4"), "mp4/tumblr_a.mp4")
    benchmark = TGIFQA(str(tmp_path))
    assert [(q.video, q.answer) for q in benchmark.questions] == [
        ("mp4/tumblr_a.mp4", "play"),
        ("mp4/tumblr_a.mp4", "no"),
    ]
    with pytest.raises(ValueError, match="'count' takes 'original'"):
        TGIFQA(str(tmp_path), task="count")


def test_the_usual_reader_reads_gifs(root: Path) -> None:
    path = str(root / "gifs/tumblr_a.gif")
    assert PyAVReader().probe(path).duration == pytest.approx(1.0)
    frames, seconds = PyAVReader().read(path, [0.0, 0.5])
    assert seconds.tolist() == pytest.approx([0.0, 0.5]) and frames[1].mean() - frames[0].mean() > 60


@pytest.mark.parametrize(
    ("task", "old", "new", "message"),
    [
        ("action", "\t3\tACTION12", "\t5\tACTION12", "row 1: 'answer' must lie in [0, 4], got 5"),
        ("action", "gif_name\tquestion\ta1", "gif_name\tquestion\tb1", "there is no 'a1'"),
        ("count", "\t3\tCOUNT12", "\tmany\tCOUNT12", "row 1: 'answer' must be a number, got 'many'"),
        ("frameqa", "\t2\tFRAME", "\t4\tFRAME", "row 1: 'type' must lie in [0, 3], got 4"),
    ],
)
def test_what_is_wrong_is_named(task: str, old: str, new: str, message: str, root: Path) -> None:
    file = root / f"Test_{task}_question.csv"
    text = "\n".join(TGIF_FILES[task])
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        TGIFQA(str(root), task, "original")
    assert str(file) in str(error.value)


@pytest.mark.parametrize(("arguments", "message"), [({"task": "trans"}, "task must be"), ({"layout": "x"}, "layout")])
def test_arguments_out_of_range(arguments: dict[str, str], message: str, root: Path) -> None:
    with pytest.raises(ValueError, match=message):
        TGIFQA(str(root), **arguments)
