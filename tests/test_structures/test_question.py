import pytest

from elva.structures import Question


def test_a_rotation_moves_the_right_option_along() -> None:
    question = Question("q", "a.mp4", "?", options=("x", "y", "z"), correct=2)
    rotated = [question.rotated(by) for by in range(4)]
    assert [q.options[q.correct] for q in rotated] == ["z"] * 4
    assert [q.reference for q in rotated] == ["C", "A", "B", "C"] and rotated[3] == question


def test_there_are_not_more_options_than_letters() -> None:
    assert Question("q", "a.mp4", "?", options=tuple(map(str, range(26))), correct=25).reference == "Z"
    with pytest.raises(ValueError, match="question 'q': 27 options are more than there are letters"):
        Question("q", "a.mp4", "?", options=tuple(map(str, range(27))))


def test_the_right_option_is_one_of_them() -> None:
    with pytest.raises(ValueError, match="question 'q': option 2 of 2 cannot be the right one"):
        Question("q", "a.mp4", "?", options=("x", "y"), correct=2)
