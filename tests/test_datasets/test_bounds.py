import math

import pytest

from elva.datasets.bounds import parse_bounds, parse_seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(3, 3), (2.5, 2.5), ("12.5", 12.5), ("02:03.5", 123.5), ("01:02:03.250", 3723.25), ("0:07", 7)],
)
def test_seconds_are_numbers_or_clock_times(value: object, seconds: float) -> None:
    assert parse_seconds(value) == seconds


@pytest.mark.parametrize("value", ["", "soon", None, -1, "nan", "inf", True, "1:2:3:4"])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is no time: expected seconds or 'HH:MM:SS'"):
        parse_seconds(value)


@pytest.mark.parametrize(
    ("value", "count", "bounds"),
    [
        (None, 2, [None, None]),
        ([1, 2], 1, [(1, 2)]),
        (("0:01", "0:02"), 1, [(1, 2)]),
        ([[1, 2]], 1, [(1, 2)]),
        ([None, [None, 4], [3, None]], 3, [None, (0, 4), (3, math.inf)]),
        ([], 0, []),
    ],
)
def test_bounds_are_a_pair_or_none_for_each_video(value: object, count: int, bounds: list) -> None:
    assert parse_bounds(value, count) == bounds


@pytest.mark.parametrize(
    ("value", "count", "message"),
    [
        (3, 1, "must be a pair"),
        ("12", 1, "must be a pair"),
        ([[1, 2]], 2, "has 1 entries for 2 videos"),
        ([1, 2], 2, "1 is no part of a video"),
        ([[1, 2, 3]], 1, "is no part of a video"),
        ([[5, 5]], 1, "the part from 5 to 5 is empty"),
        ([["soon", 2]], 1, "'soon' is no time"),
    ],
)
def test_other_bounds_are_refused(value: object, count: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_bounds(value, count)
