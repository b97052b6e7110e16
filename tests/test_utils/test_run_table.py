import pytest
from mmengine.config import Config

from elva.utils.run_table import RunTable, fingerprint


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


def test_a_fingerprint_changes_with_what_a_run_is_made_of_and_with_nothing_else(tmp_path):
    file, copy = tmp_path / "a.pth", tmp_path / "b.pth"
    file.write_bytes(b"weights")
    copy.write_bytes(b"weights")
    first = fingerprint(Config({"a": 1, "work_dir": "x"}), file, {"ratio": 0.5})
    assert first == fingerprint(Config({"work_dir": "y", "a": 1}), copy, {"ratio": 0.5})
    copy.write_bytes(b"others")
    others = [
        fingerprint(Config({"a": 2}), file, {"ratio": 0.5}),
        fingerprint(Config({"a": 1}), copy, {"ratio": 0.5}),
        fingerprint(Config({"a": 1}), file, {"ratio": 0.25}),
    ]
    assert len({first, *others}) == 4
