import pytest

from elva.utils.run_table import RunTable


def test_runs_are_found_again_after_a_stop(tmp_path):
    path = tmp_path / "deep" / "runs.csv"
    table = RunTable(path, ["name", "ratio"])
    assert table.find({"name": "a", "ratio": 0.5}) is None
    table.add({"name": "a", "ratio": 0.5, "accuracy": 0.25})
    table.add({"name": "b", "ratio": 0.5, "accuracy": 0.5, "note": "x, y"})
    again = RunTable(path, ["name", "ratio"])
    assert again.find({"name": "a", "ratio": 0.5}) == {"name": "a", "ratio": "0.5", "accuracy": "0.25", "note": ""}
    assert again.find({"name": "b", "ratio": 0.5, "other": 1})["note"] == "x, y"
    assert again.find({"name": "b", "ratio": 0.25}) is None


def test_the_table_of_something_else_is_refused(tmp_path):
    RunTable(tmp_path / "runs.csv", ["name"]).add({"name": "a"})
    with pytest.raises(ValueError, match="no column 'ratio'"):
        RunTable(tmp_path / "runs.csv", ["name", "ratio"])
