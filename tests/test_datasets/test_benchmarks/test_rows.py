import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elva.datasets.benchmarks.rows import Row, csv_rows, json_object, json_rows, parquet_rows, tab_rows
from tests.test_datasets.test_benchmarks.layouts_a import write_csv, write_parquet

VALUES = {
    "name": " a b ",
    "number": 7,
    "text number": "7",
    "share": "0.5",
    "list": [" a", 2],
    "none": None,
    "flag": True,
}
ROW = Row(VALUES, "f.json: row 3")


def test_values_are_what_is_asked_for() -> None:
    assert ROW.text("name") == "a b" and ROW.text("number") == "7"
    assert ROW.whole("number", 0, 7) == ROW.whole("text number") == 7 and ROW.number("share") == 0.5
    assert ROW.texts("list") == ("a", "2") and ROW.place("name", ("c", "a b")) == 1
    assert ROW.has("name") and not ROW.has("none") and not ROW.has("other")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda row: row.text("other"), "there is no 'other' (there are: name, number,"),
        (lambda row: row.text("none"), "'none' is empty"),
        (lambda row: row.text("list"), "'list' must be text, got [' a', 2]"),
        (lambda row: row.text("flag"), "'flag' must be text, got True"),
        (lambda row: row.texts("name"), "'name' must be a list of texts, got ' a b '"),
        (lambda row: row.number("name"), "'name' must be a number, got ' a b '"),
        (lambda row: row.number("flag"), "'flag' must be a number, got True"),
        (lambda row: row.whole("share"), "'share' must be a whole number, got '0.5'"),
        (lambda row: row.whole("number", 0, 4), "'number' must lie in [0, 4], got 7"),
        (lambda row: row.place("name", ("c",)), "'name' is 'a b', which is none of the options ['c']"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(ask: Callable[[Row], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"f.json: row 3: {message}")):
        ask(ROW)
    with pytest.raises(ValueError, match=re.escape(f"f.json: row 3: question 'q': {message}")):
        ask(ROW.called("q"))


def test_every_kind_of_file_has_the_same_rows(tmp_path: Path) -> None:
    rows = [{"id": "a", "text": 'one, "two"'}, {"id": "b", "text": "three\nfour"}]
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8-sig")
    write_csv(tmp_path / "a.csv", rows)
    (tmp_path / "a.tsv").write_text('id\ttext\na\t"one, ""two"""\nb\t"three\nfour"\n')
    write_parquet(tmp_path / "a.parquet", rows)
    readers = {"json": json_rows, "csv": csv_rows, "tsv": tab_rows, "parquet": parquet_rows}
    for suffix, reader in readers.items():
        found = list(reader(tmp_path / f"a.{suffix}"))
        assert [row.values for row in found] == rows
        assert [row.where for row in found] == [f"{tmp_path}/a.{suffix}: row {number}" for number in (1, 2)]


def test_a_table_that_is_no_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("id,text\na,\u00e4\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"a\.csv: cannot be read as CSV in UTF-8 \('utf-8' codec"):
        csv_rows(tmp_path / "a.csv")


def test_files_that_are_not_what_they_should_be(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for content, reader, message in [
        ("{", json_object, "a.json: is not JSON"),
        ("[]", json_object, "must hold an object, got a list"),
        ("{}", json_rows, "must hold a list, got a dict"),
        ("[1]", json_rows, "row 1 must be an object, got 1"),
        ("[]", parquet_rows, "cannot be read as Parquet"),
    ]:
        path.write_text(content)
        with pytest.raises(ValueError, match=message):
            list(reader(path))
