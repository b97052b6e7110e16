import pytest

from elva.evaluation import chance


def test_mean_of_one_over_the_options_by_group() -> None:
    records = [
        {"groups": {"skill": "count", "length": "short"}, "options": ["one", "two", "three", "four"]},
        {"groups": {"skill": "count"}, "options": ["one", "two"]},
        {"groups": {}, "options": ["yes", "no"]},
        {"groups": {"skill": "open"}, "options": []},
    ]
    expected = {"overall": 1.25 / 3, "skill/count": 0.375, "length/short": 0.25}
    assert chance(records) == pytest.approx(expected)


def test_a_question_asked_for_every_rotation_is_guessed_as_often() -> None:
    assert chance([{"groups": {}, "options": ["x", "y", "z"], "asked": 3}]) == pytest.approx({"overall": 1 / 27})


def test_no_options() -> None:
    assert chance([{"groups": {"skill": "a"}, "options": []}]) == {}
