import math
from collections import Counter

import pytest

from elva.datasets import MixtureDataset, SkipLog


class Letters(list):
    """A data set of strings."""

    skip_log: SkipLog | None = None


def _letters(name: str, length: int) -> Letters:
    return Letters(f"{name}{i}" for i in range(length))


def _mixture(*parts: tuple, length: int | None = None) -> list[str]:
    entries = {
        name: {"dataset": _letters(name, size)} | ({"weight": weight} if weight else {}) for name, size, weight in parts
    }
    mixture = MixtureDataset(entries, length)
    return [mixture[i] for i in range(len(mixture))]


def test_weights_are_kept_in_every_stretch() -> None:
    names = _mixture(("a", 7, 3), ("b", 50, 1), length=200)
    assert len(names) == 200
    for begin in range(0, 200, 8):
        counts = Counter(name[0] for name in names[begin : begin + 8])
        assert abs(counts["a"] - 6) <= 1


def test_a_rare_source_comes_in_the_middle_of_its_stretch() -> None:
    names = _mixture(("often", 99, 9), ("rare", 9, 1), length=30)
    assert [place for place, name in enumerate(names) if name.startswith("rare")] == [5, 15, 25]


def test_a_source_runs_in_order_and_starts_again() -> None:
    names = _mixture(("a", 3, 1), ("b", 100, 1), length=14)
    assert [name for name in names if name[0] == "a"] == ["a0", "a1", "a2", "a0", "a1", "a2", "a0"]


def test_without_weights_every_sample_comes_once() -> None:
    names = _mixture(("a", 5, None), ("b", 11, None), ("c", 1, None))
    assert sorted(names) == sorted([*_letters("a", 5), *_letters("b", 11), *_letters("c", 1)])


def test_default_length_shows_every_sample_of_every_source() -> None:
    names = _mixture(("a", 4, 1), ("b", 30, 1))
    assert len(names) == 60 and set(_letters("b", 30)) <= set(names)


def test_the_order_never_changes() -> None:
    assert _mixture(("a", 9, 2), ("b", 9, 5)) == _mixture(("a", 9, 2), ("b", 9, 5))


def test_a_skip_log_reaches_every_source() -> None:
    mixture = MixtureDataset({name: {"dataset": _letters(name, 2)} for name in "ab"})
    mixture.skip_log = log = SkipLog()
    assert all(dataset.skip_log is log for dataset in mixture.datasets) and mixture.skip_log is log


@pytest.mark.parametrize(
    ("entries", "length", "message"),
    [
        ({}, None, "datasets is empty"),
        ([{"dataset": _letters("a", 1)}], None, "must name its sources.*got a list"),
        ({"a": {"datset": 1}}, None, r"datasets\['a'\] must have the keys"),
        ({"a": {"dataset": _letters("a", 1), "weigth": 1}}, None, "got dataset, weigth"),
        ({"a": {"dataset": _letters("a", 1), "weight": 0}}, None, "weights must be positive"),
        ({"a": {"dataset": _letters("a", 1), "weight": "a"}}, None, "weights must be positive numbers, got \\['a'\\]"),
        ({"a": {"dataset": _letters("a", 1), "weight": math.inf}}, None, "weights must be positive numbers, got"),
        ({"a": {"dataset": _letters("a", 1)}}, 0, "length must be positive"),
    ],
)
def test_wrong_arguments_are_refused(entries: dict | list, length: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MixtureDataset(entries, length)
