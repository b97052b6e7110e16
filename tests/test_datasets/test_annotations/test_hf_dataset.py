import sys
from pathlib import Path

import datasets
import pytest

from elva.datasets import open_annotations

PNG = b"\x89PNG not decoded"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_rows_are_read_from_a_saved_data_set(tmp_path: Path) -> None:
    rows = [{"id": i, "talk": [{"role": "user", "content": f"{i}?"}], "note": None if i else "x"} for i in range(5)]
    datasets.Dataset.from_list(rows).select([4, 0, 2]).save_to_disk(tmp_path / "a")
    file = open_annotations(tmp_path / "a")
    assert [file[index] for index in range(len(file))] == [
        {"id": 4, "talk": [{"role": "user", "content": "4?"}]},
        rows[0],
        {"id": 2, "talk": [{"role": "user", "content": "2?"}]},
    ]
    assert file.where(2) == f"{tmp_path / 'a'}: row 2"


def test_the_split_of_several_must_be_named(tmp_path: Path) -> None:
    one = datasets.Dataset.from_list([{"id": 1}])
    datasets.DatasetDict(train=one, test=one).save_to_disk(tmp_path / "a")
    with pytest.raises(ValueError, match=r"has the splits train, test: name the folder of one, '.*a/train'"):
        open_annotations(tmp_path / "a")
    assert open_annotations(tmp_path / "a" / "test")[0] == {"id": 1}


def test_videos_and_images_become_paths_undecoded(tmp_path: Path) -> None:
    kinds = datasets.Features({"video": datasets.Video(), "images": datasets.List(datasets.Image())})
    (tmp_path / "a.webm").write_bytes(b"not decoded")
    rows = [{"video": str(tmp_path / "a.webm"), "images": [{"bytes": PNG, "path": None}]}]
    datasets.Dataset.from_list(rows, features=kinds).save_to_disk(tmp_path / "a")
    row = open_annotations(tmp_path / "a")[0]
    assert row["video"].endswith(".webm") and Path(row["video"]).read_bytes() == b"not decoded"
    assert row["images"][0].endswith(".png") and Path(row["images"][0]).read_bytes() == PNG


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is a folder, but not one that datasets.save_to_disk wrote"):
        open_annotations(tmp_path)


def test_the_extra_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets.Dataset.from_list([{"id": 1}]).save_to_disk(tmp_path / "a")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match=r"pip install 'elva\[datasets\]'"):
        open_annotations(tmp_path / "a")
