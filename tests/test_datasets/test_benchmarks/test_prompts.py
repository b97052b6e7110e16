import pytest

from elva.datasets.benchmarks import MultipleChoicePrompt, OpenPrompt
from elva.structures import Question

CHOICE = Question("q1", "a.mp4", "Which?", options=("red", "blue"), correct=1)


def test_a_choice_is_written_in_its_forms() -> None:
    prompt = MultipleChoicePrompt(
        "Look.", "So:", "({letter}) {text}", "Heard: {text}", "Look and listen.", "Question: {text}"
    )
    assert prompt.write(CHOICE) == "Look.\nQuestion: Which?\n(A) red\n(B) blue\nSo:"
    assert prompt.write(CHOICE, "hi {x}").startswith("Heard: hi {x}\nLook and listen.\nQuestion")


def test_empty_lines_are_left_out() -> None:
    assert OpenPrompt(after="").write(Question("q", "a.mp4", "Why {this}?", answer="x")) == "Why {this}?"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"option": "{letter}: {txt}"}, r"option='\{letter\}: \{txt\}' can have the fields text, letter .*'txt'"),
        ({"subtitles": "{}"}, "subtitles='{}' can have the fields text "),
        ({"question": "Q: {text"}, "question='Q: {text' can have the fields text "),
        ({"question": "What?"}, "question='What\\?' has no field {text}"),
    ],
)
def test_forms_that_cannot_be_filled_in_are_refused_at_once(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MultipleChoicePrompt(**options)
