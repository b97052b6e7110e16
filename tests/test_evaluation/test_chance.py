import pytest

from elva.evaluation import chance


def test_mean_of_one_over_the_options_by_group() -> None:
    samples = [
        {"skill": "count", "options": ["one", "two", "three", "four"]},
        {"skill": "count", "options": ["one", "two"]},
        {"options": ["yes", "no"]},
        {"skill": "open"},
    ]
    assert chance(samples) == pytest.approx({"overall": 1.25 / 3, "count": 0.375})


def test_another_group_and_no_options() -> None:
    assert chance([{"kind": "a", "options": ["x", "y"]}], group_by="kind") == {"overall": 0.5, "a": 0.5}
    assert chance([{"skill": "a"}]) == {}
