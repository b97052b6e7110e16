from typing import Any

import pytest

from elva.datasets.take import taken


@pytest.mark.parametrize(
    ("rule", "rows"),
    [
        ("all", list(range(10))),
        ("first:20%", [0, 1]),
        ("end:3", [7, 8, 9]),
        ("first:0.1%", [0]),
        ("first:99", list(range(10))),
    ],
)
def test_shares_and_numbers(rule: str, rows: list[int]) -> None:
    assert taken(10, rule).tolist() == rows


def test_a_random_draw_is_always_the_same_and_smaller_ones_are_parts_of_it() -> None:
    drawn = taken(100, "random:30%").tolist()
    assert drawn == sorted(drawn) == taken(100, "random:30").tolist() and drawn != list(range(30))
    assert set(taken(100, "random:10%")) < set(drawn) and len(set(drawn)) == 30


@pytest.mark.parametrize("rule", ["", "half", "first", "first:-1", "middle:3", None, 5])
def test_what_is_no_rule_is_refused(rule: Any) -> None:
    with pytest.raises(ValueError, match=r"expected 'all', 'first:10%'"):
        taken(10, rule)


@pytest.mark.parametrize("rule", ["first:0", "random:101%", "end:1.5", "first:0%"])
def test_amounts_out_of_range_are_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="a share lies in"):
        taken(10, rule)
