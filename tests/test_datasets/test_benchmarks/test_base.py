from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from elva.datasets.benchmarks import Benchmark
from elva.datasets.transforms import LoadVideo
from elva.structures import Question
from tests.test_datasets.test_benchmarks.layouts_a import PIPELINE


class Colours(Benchmark):
    """Two questions of multiple choice and an open one."""

    questions_of_the_file = (
        Question("q1", "a.mp4", "Which?", options=("red", "blue", "green"), correct=1),
        Question("q2", "b.mp4", "What does <video> show?", answer="a cat"),
        Question("q3", "a.mp4", "Which?", options=("yes", "no")),
    )

    def annotation_files(self) -> list[str]:
        return ["a.json"]

    def load(self) -> list[Question]:
        return list(self.questions_of_the_file)

    def reader(self, reader: dict[str, Any]) -> dict[str, Any]:
        return {**reader, "timeout": 7.0}


@pytest.fixture
def root(tmp_path: Path) -> str:
    for name in ("a.json", "a.mp4", "c.MP4"):
        (tmp_path / name).touch()
    return str(tmp_path)


def test_only_choices_are_rotated_and_the_right_answer_moves_along(root: str) -> None:
    benchmark = Colours(root, circular=True)
    assert [benchmark.id(index) for index in range(len(benchmark))] == ["q1#0", "q1#1", "q1#2", "q2", "q3#0", "q3#1"]
    rotated = benchmark.question(1)
    assert rotated.options == ("green", "red", "blue") and rotated.reference == "C"
    assert benchmark.question(5).reference is None and benchmark.question(5).options == ("no", "yes")
    assert [benchmark.raw(index)["meta"]["question_id"] for index in (1, 3)] == ["q1", "q2"]


def test_by_logits_only_choices_have_letters(root: str) -> None:
    benchmark = Colours(root, scoring="logits")
    assert [benchmark.raw(index)["choices"] for index in range(3)] == [("A", "B", "C"), (), ("A", "B")]
    assert not any(Colours(root).raw(index)["choices"] for index in range(3))


def test_the_benchmarks_own_words_are_no_tag(root: str) -> None:
    asked = Colours(root, prompt={"type": "OpenPrompt"}).raw(1)["conversations"][0]["content"]
    assert asked == "<video>\nWhat does video show?\nAnswer the question using a single word or phrase."


def test_the_reader_of_a_pipeline_is_the_benchmarks_to_change(root: str) -> None:
    assert Colours(root, PIPELINE).transforms[0].reader.timeout == 7
    built = LoadVideo(**{key: value for key, value in PIPELINE[0].items() if key != "type"})
    assert Colours(root, [built]).transforms == [built] and built.reader.timeout == 20


def test_a_part_is_asked(root: str) -> None:
    benchmark = Colours(root, take="first:2")
    assert [question.id for question in benchmark.questions] == ["q1", "q2"] and benchmark.protocol()[
        "take"
    ] == "first:2"
    assert benchmark.verify().words() == "1 of 2 videos are missing: 1 of 2 questions (50.00%) can be asked"
    assert Colours(root).verify().share == pytest.approx(2 / 3)


def test_files_are_found_by_stem_and_suffix(root: str) -> None:
    benchmark = Colours(root)
    assert benchmark.find("a") == "a.mp4" and benchmark.find("c") == "c.MP4"
    assert benchmark.find(["x/c", "c"]) == "c.MP4" and benchmark.find(["x/b", "b"]) == "x/b.mp4"
    assert benchmark.find(["b.mp4", "a.mp4"], ("",)) == "a.mp4"


def test_ids_are_unique(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Colours, "questions_of_the_file", Colours.questions_of_the_file * 2)
    with pytest.raises(ValueError, match=r"a\.json: 3 ids .* not unique, among them 'q1' \(questions 1, 4\)"):
        Colours(root)


def test_a_benchmark_without_questions_is_refused(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Colours, "questions_of_the_file", ())
    with pytest.raises(ValueError, match=r"a\.json: there is no question"):
        Colours(root)


def test_subtitles_that_are_asked_with_are_needed_and_told(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spoken = [replace(question, subtitles=f"{question.id}.srt") for question in Colours.questions_of_the_file]
    monkeypatch.setattr(Colours, "questions_of_the_file", spoken)
    for name in ("q1.srt", "b.mp4"):
        (Path(root) / name).write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    silent, told = Colours(root), Colours(root, subtitles="full")
    assert silent.verify().unanswerable == 0 and silent.protocol()["subtitle_files"] is None
    coverage = told.verify()
    assert coverage.unanswerable == 2 and coverage.lacking == ("q2.srt", "q3.srt")
    assert coverage.words().startswith("0 of 2 videos and 2 of 3 subtitle files are missing: 1 of 3 questions")
    before = told.protocol()["subtitle_files"]
    (Path(root) / "q1.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhullo\n")
    assert before != told.protocol()["subtitle_files"] and len(before) == 64
    monkeypatch.setattr(Colours, "without_subtitles", "There are none.")
    assert not told.verify().lacking and told.verify().missing_subtitles


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subtitles": "full"}, "Colours has no subtitles: subtitles must be 'none', got 'full'"),
        ({"subtitles": "all"}, "subtitles must be one of none, full, frames, interleaved, got 'all'"),
        ({"scoring": "guess"}, "scoring must be 'generate' or 'logits', got 'guess'"),
        ({"take": "some"}, "take='some'"),
    ],
)
def test_wrong_arguments(root: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Colours(root, **options)
