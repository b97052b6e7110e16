import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elva.datasets import SkipLog, VideoTextDataset
from elva.datasets.readers.base import VideoReadError


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def annotated(path: Path, ids: list[str]) -> str:
    return write(path, [{"id": id, "video": f"{n}.mp4", "caption": "x"} for n, id in enumerate(ids)])


def left(dataset: VideoTextDataset) -> list[str]:
    return [dataset.raw(index)["videos"][0] for index in range(len(dataset))]


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often a row was read so far."""
    count = [0]
    read = VideoTextDataset._id_of

    def counted(self: VideoTextDataset, row: int) -> str:
        count[0] += 1
        return read(self, row)

    monkeypatch.setattr(VideoTextDataset, "_id_of", counted)
    return lambda: count[0]


def test_rows_are_found_by_their_number_alone(tmp_path: Path, parsed: Callable[[], int]) -> None:
    file = annotated(tmp_path / "a.jsonl", ["same"] * 5)
    skip = write(tmp_path / "skip.jsonl", [{"id": "same", "source": file, "index": index} for index in (3, 1)])
    assert left(VideoTextDataset(file, skip_list=skip)) == ["0.mp4", "2.mp4", "4.mp4"] and parsed() == 2


def test_without_a_number_every_row_of_the_id_is_meant(tmp_path: Path) -> None:
    file = annotated(tmp_path / "a.jsonl", ["a", "b", "a", "c"])
    skip = write(tmp_path / "skip.jsonl", [{"id": "a"}, {"id": "gone"}])
    assert left(VideoTextDataset(file, skip_list=skip)) == ["1.mp4", "3.mp4"]


def test_a_number_from_before_the_file_was_changed_is_not_believed(tmp_path: Path) -> None:
    file = annotated(tmp_path / "a.jsonl", ["new", "a", "b"])
    skip = write(tmp_path / "skip.jsonl", [{"id": "a", "index": 0}, {"id": "b", "index": 99}])
    assert left(VideoTextDataset(file, skip_list=skip)) == ["0.mp4"]


def test_lines_about_other_sources_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    annotated(tmp_path / "a.jsonl", ["x", "y"])
    annotated(tmp_path / "b.jsonl", ["x", "y"])
    skip = write(tmp_path / "skip.jsonl", [{"id": "x", "source": "b.jsonl", "index": 0}])
    assert len(VideoTextDataset("a.jsonl", skip_list=skip)) == 2
    assert left(VideoTextDataset(str(tmp_path / "b.jsonl"), skip_list=skip)) == ["1.mp4"]
    both = VideoTextDataset(["a.jsonl", "b.jsonl"], skip_list=skip)
    assert [both.row(index) for index in range(len(both))] == [0, 1, 3]


def test_what_is_taken_is_taken_before(tmp_path: Path) -> None:
    file = annotated(tmp_path / "a.jsonl", list("abcdef"))
    skip = write(tmp_path / "skip.jsonl", [{"id": "e", "index": 4}, {"id": "a", "index": 0}])
    dataset = VideoTextDataset(file, take="end:50%", skip_list=skip)
    assert left(dataset) == ["3.mp4", "5.mp4"] and dataset.protocol()["left_out"] == 1


def test_the_log_of_one_run_is_the_list_of_the_next(tmp_path: Path, parsed: Callable[[], int]) -> None:
    def read(item: dict[str, Any]) -> dict[str, Any]:
        if item["videos"][0] in ("3.mp4", "4.mp4"):
            raise VideoReadError("broken")
        return item

    rows: list[dict[str, Any]] = [{"video": f"{n}.mp4", "caption": "x"} for n in range(6)]
    rows[5]["caption"] = None
    file = write(tmp_path / "a.jsonl", rows)
    first = VideoTextDataset(file, pipeline=[read], max_skip_share=1, take="end:4")
    first.skip_log = SkipLog(tmp_path / "skipped.jsonl")
    assert {first[index]["videos"][0] for index in range(len(first))} == {"2.mp4"}
    again = VideoTextDataset(file, skip_list=str(tmp_path / "skipped.jsonl"))
    assert left(again) == ["0.mp4", "1.mp4", "2.mp4"] and parsed() == 3
    assert np.array_equal(again.file_sizes, [3])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "skip.jsonl: line 2 is not JSON"),
        ('{"video": 1}', "skip.jsonl: line 2 must be an object with the 'id'"),
        ('{"id": "a", "source": 5}', "skip.jsonl: line 2: 'source' must be the path of a file, got 5"),
        ("é", r"skip.jsonl' is not UTF-8 text"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    file = annotated(tmp_path / "a.jsonl", ["a", "b"])
    (tmp_path / "skip.jsonl").write_text(f'{{"id": "a"}}\n{line}\n', encoding="latin1")
    with pytest.raises(ValueError, match=message):
        VideoTextDataset(file, skip_list=str(tmp_path / "skip.jsonl"))


def test_a_list_that_is_missing_or_leaves_nothing_is_refused(tmp_path: Path) -> None:
    file = annotated(tmp_path / "a.jsonl", ["a"])
    with pytest.raises(FileNotFoundError, match=r"Skip list '.*none.jsonl' does not exist"):
        VideoTextDataset(file, skip_list=str(tmp_path / "none.jsonl"))
    with pytest.raises(FileNotFoundError, match=r"Skip list '.*' is a folder"):
        VideoTextDataset(file, skip_list=str(tmp_path))
    with pytest.raises(ValueError, match="leaves none of the 1 samples"):
        VideoTextDataset(file, skip_list=write(tmp_path / "skip.jsonl", [{"id": "a"}]))
