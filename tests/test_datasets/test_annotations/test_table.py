import mmap
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from elva.datasets import open_annotations
from elva.datasets.annotations import table
from elva.utils.cache_folder import cache_folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return cache_folder()


def csv(tmp_path: Path, text: str, name: str = "a.csv") -> Path:
    (tmp_path / name).write_bytes(text.encode())
    return tmp_path / name


def saved(tmp_path: Path, rows: list[dict[str, Any]], **options: Any) -> Path:
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", **options)
    return tmp_path / "a.parquet"


def rows_of(path: Path) -> list[dict[str, Any]]:
    file = open_annotations(path)
    return [file[index] for index in range(len(file))]


def test_csv_values_are_texts_and_fields_may_be_quoted(tmp_path: Path) -> None:
    path = csv(tmp_path, '\ufeffid,video,n\r\n007,"a, b.mp4",\r\n8,"say ""ü""\nnow",1.5\r\n\r\n')
    assert rows_of(path) == [  # and lines with nothing in them are no rows
        {"id": "007", "video": "a, b.mp4", "n": ""},
        {"id": "8", "video": 'say "ü"\nnow', "n": "1.5"},
    ]


def test_tsv_is_split_at_tabs(tmp_path: Path) -> None:
    assert rows_of(csv(tmp_path, "id\tcaption\n1\ta, b\n", "a.tsv")) == [{"id": "1", "caption": "a, b"}]


def test_parquet_keeps_nested_values_and_leaves_nulls_out(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "video": "a.mp4", "image": None, "talk": [{"from": "human", "value": "x"}], "times": [1.5, None]},
        {"id": 2, "video": None, "image": "b.jpg", "talk": [{"from": "gpt", "value": None}], "times": None},
    ]
    assert rows_of(saved(tmp_path, rows)) == [
        {"id": 1, "video": "a.mp4", "talk": [{"from": "human", "value": "x"}], "times": [1.5, None]},
        {"id": 2, "image": "b.jpg", "talk": [{"from": "gpt"}]},
    ]


def test_rows_of_many_batches_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_ROWS", 3)
    monkeypatch.setattr(table, "_READS", 2)
    rows = [{"id": number, "kind": "ab"[number % 2]} for number in range(11)]
    path = saved(tmp_path, rows, row_group_size=4, use_dictionary=True)
    file = open_annotations(path)
    assert [file[index] for index in (10, 0, 5, 3, 4, 9)] == [rows[index] for index in (10, 0, 5, 3, 4, 9)]
    assert len(file) == 11 and file.where(10) == f"{path}: row 10"


def test_what_was_read_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    advice: list[int] = []

    class Noting(mmap.mmap):
        def madvise(self, option: int, *rest: int) -> None:
            advice.append(option)
            super().madvise(option, *rest)

    monkeypatch.setattr(table.mmap, "mmap", Noting)
    monkeypatch.setattr(table, "_READS", 5)
    file = open_annotations(csv(tmp_path, "id\n1\n2\n"))
    assert [file[number % 2]["id"] for number in range(20)] == ["1", "2"] * 10
    assert len(advice) >= 4 and set(advice) == {mmap.MADV_DONTNEED}


def test_categories_are_their_values(tmp_path: Path) -> None:
    column = pa.array(["x", "y", "x"]).dictionary_encode()
    parquet.write_table(pa.table({"kind": column}), tmp_path / "a.parquet", row_group_size=1)
    assert [row["kind"] for row in rows_of(tmp_path / "a.parquet")] == ["x", "y", "x"]


def test_a_file_is_converted_once_until_it_changes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = csv(tmp_path, "id\n1\n")
    assert rows_of(path) == [{"id": "1"}]
    with monkeypatch.context() as patch:
        patch.setattr(table, "_parquet", None)
        patch.setattr(table, "_csv", None)
        assert rows_of(path) == [{"id": "1"}]
    csv(tmp_path, "id\n1\n2\n")
    assert len(rows_of(path)) == 2
    assert len(list((cache / "annotations").glob("*.arrow"))) == 1 and not list(cache.rglob("*.part"))


def test_another_process_maps_the_file_itself(tmp_path: Path) -> None:
    file = open_annotations(csv(tmp_path, "id\n1\n2\n"))
    assert file[1] == {"id": "2"}
    assert pickle.loads(pickle.dumps(file))[1] == {"id": "2"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,video\n1,a.mp4\n2\n", r"a.csv: line 3 has 1 fields, expected 2: \['2'\]"),
        ('id,text\n1,"a\nb"\n\n2\n', "a.csv: line 5 has 1 fields, expected 2"),
        ('id,text\n1,"a\n2,b\n3,c\n', "a.csv: line 2 cannot be read: unexpected end of data. Is a quote not closed"),
        ('id,text\n1,"a\n2,"b"\n', "a.csv: line 2 cannot be read: .*Is a quote not closed"),
        ("id,video,id\n1,a.mp4,2\n", "a.csv: there are several columns 'id'"),
        ("", "a.csv is empty: expected the names of the columns"),
        ("id,video\n", "a.csv' has no samples"),
    ],
)
def test_bad_tables_are_explained(tmp_path: Path, cache: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_annotations(csv(tmp_path, text))
    assert not list(cache.rglob("*.part"))


def test_other_encodings_are_explained(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("id\nü\n".encode("latin1"))
    with pytest.raises(ValueError, match=r"a.csv is not UTF-8 text, from about line 1 on: .*Save it as UTF-8"):
        open_annotations(tmp_path / "a.csv")


def test_what_is_no_parquet_is_explained(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("no table at all")
    with pytest.raises(ValueError, match=r"a.parquet: .*[Pp]arquet"):
        open_annotations(tmp_path / "a.parquet")


def test_a_cache_without_room_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ValueError, match=r"a.csv cannot be converted .* Set XDG_CACHE_HOME"):
        open_annotations(csv(tmp_path, "id\n1\n"))


def test_media_in_tables_become_files_once(tmp_path: Path, cache: Path) -> None:
    rows = [{"video": {"bytes": b"\0\0\0\x18ftypmp42", "path": None}} for _ in range(2)]
    rows.append({"video": {"bytes": None, "path": "b.mp4"}})
    first, second, third = (row["video"] for row in rows_of(saved(tmp_path, rows)))
    assert first == second and Path(first).read_bytes() == rows[0]["video"]["bytes"] and first.endswith(".mp4")
    assert third == "b.mp4" and len(list((cache / "media").iterdir())) == 1


def test_media_without_anything_are_explained(tmp_path: Path) -> None:
    rows = [{"video": {"bytes": None, "path": "b.mp4"}}, {"video": {"bytes": None, "path": None}}]
    with pytest.raises(ValueError, match=r"a.parquet: row 1: a video or image has neither 'bytes' nor a 'path'"):
        rows_of(saved(tmp_path, rows))
