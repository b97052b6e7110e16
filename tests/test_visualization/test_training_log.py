"""Numbers that a training logged."""

import json
from pathlib import Path

import pytest

from elva.visualization.training_log import read_scalars, series


def write(folder: Path, time: str, records: list[dict[str, float]]) -> None:
    target = folder / time / "vis_data"
    target.mkdir(parents=True)
    (target / "scalars.json").write_text("".join(json.dumps(record) + "\n" for record in records))


def test_the_newest_run_is_read(tmp_path: Path) -> None:
    write(tmp_path, "20260101_000000", [{"loss_gen": 9.0, "step": 10}])
    write(tmp_path, "20260102_000000", [{"loss_gen": 3.0, "step": 10}, {"accuracy": 1.0, "step": 10}])
    records = read_scalars(tmp_path)
    assert len(records) == 2
    assert series(records, "loss_gen") == ([10], [3.0])
    assert series(records, "loss_tube") == ([], [])


def test_nothing_logged_is_an_error_that_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"{tmp_path} has no .*LocalVisBackend"):
        read_scalars(tmp_path)
