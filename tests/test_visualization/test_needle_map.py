import numpy as np
import pytest

from elva.datasets.benchmarks import Row
from elva.visualization.needle_map import draw_needle_map, needle_map, needle_table, seen_share


def _record(length: int, depth: str, score: float | None, seconds: tuple[float, ...] = (0.0, 4.0)) -> dict:
    name = f"{length}_{depth}"
    frames = [{"seconds": list(seconds)}]
    groups = {"length": str(length), "depth": depth}
    return {"id": name, "question_id": name, "groups": groups, "score": score, "frames": frames}


RECORDS = [
    _record(128, "0", 1.0),
    _record(16, "0", 1.0),
    _record(16, "0.25", 0.0),
    _record(16, "0.25", 1.0),
    _record(16, "1", None),
]


def test_cells_are_means_and_cells_without_a_score_are_empty() -> None:
    found = needle_map(RECORDS)
    assert found.lengths == (16, 128) and found.depths == (0.0, 0.25)
    np.testing.assert_array_equal(found.score_DL, [[1.0, 1.0], [0.5, np.nan]])
    np.testing.assert_array_equal(found.count_DL, [[1, 1], [2, 0]])


def test_table() -> None:
    assert needle_table(needle_map(RECORDS)) == [
        ["depth", "16 frames", "128 frames"],
        ["0%", "1.000", "1.000"],
        ["25%", "0.500", ""],
        ["all", "0.667", "1.000"],
    ]


def test_picture_has_a_label_a_cell() -> None:
    figure = draw_needle_map(needle_map(RECORDS), "a title")
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.texts] == ["1.00", "1.00", "0.50"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["16", "128"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0%", "25%"]
    assert figure.get_suptitle() == "a title"


def test_share_of_needles_that_were_seen() -> None:
    shown = [{"id": "16_0", "second": 4.0, "seconds": 1.0}, {"id": "128_0", "second": 5.0, "seconds": 1.0}]
    needles = [Row(values, "needles.json") for values in shown]
    assert seen_share(RECORDS[:2], needles) == 0.5
    with pytest.raises(ValueError, match=r"needles.json has no '16_0.25'"):
        seen_share(RECORDS, needles)
    with pytest.raises(ValueError, match="needles.json: row 1: there is no 'second'"):
        seen_share(RECORDS, [Row({"id": "16_0"}, "needles.json: row 1")])


def test_records_of_something_else() -> None:
    with pytest.raises(ValueError, match="record 'x' has no groups 'depth' and 'length'"):
        needle_map([{"id": "x", "groups": {"skill": "count"}, "score": 1.0}])
    with pytest.raises(ValueError, match="no record with a score"):
        needle_map([_record(16, "0", None)])
