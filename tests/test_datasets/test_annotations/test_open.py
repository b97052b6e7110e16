import json
from pathlib import Path
from typing import Any

import pytest

from elva.datasets import open_annotations
from elva.datasets.annotations import annotation_paths


def _rows(path: Path) -> list[dict]:
    file = open_annotations(path)
    return [file[index] for index in range(len(file))]


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_json_and_jsonl_give_the_same_samples(tmp_path: Path) -> None:
    samples = [{"id": "a"}, {"id": "ü"}]
    as_list = _write(tmp_path / "a.json", json.dumps(samples))
    as_lines = _write(tmp_path / "a.jsonl", "\n\n".join(json.dumps(s, ensure_ascii=False) for s in samples) + "\n")
    assert _rows(as_list) == _rows(as_lines) == samples


def test_line_separators_inside_strings_do_not_split_jsonl_lines(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.jsonl", '{"id": "a\u2028b"}\n{"id": "c\x85d"}\n')
    assert [s["id"] for s in _rows(path)] == ["a\u2028b", "c\x85d"]


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere.json' does not exist"):
        _rows(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"id": 1}\n{"id": 2}\n{id: 3}\n', "a.jsonl: line 3 is not JSON"),
        ("a.json", '[\n{"id": 1},\n{"id" 2}\n]', "a.json: line 3 is not JSON"),
        ("a.json", '{"id": 1}\n{"id": 2}', "name the file .jsonl"),
        ("a.json", '{"id": 1}', "expected a JSON list of samples, got a dict"),
        ("a.json", '[{"id": 1}, "b"]', "sample 1 is a str, expected an object"),
        ("a.json", "[]", "has no samples"),
        ("a.jsonl", "", "has no samples"),
        ("a.json", "", "a.json' is empty"),
        ("a.jsonl", '\ufeff[{"id": 1},\n{"id": 2}]', "is a JSON array, not an object a line: name it .json"),
        ("a.jsonl", '{"id": 1}\n[2]\n', "a.jsonl: line 2 is a list, expected an object"),
    ],
)
def test_bad_files_are_explained(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _rows(_write(tmp_path / name, text))


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", '[{"id": "a"}]'.encode("utf-16"), '[{"id": "é"}]'.encode("latin1")]
)
def test_what_is_not_utf8_is_explained(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match="a.json.* is not UTF-8 text"):
        _rows(tmp_path / "a.json")


@pytest.mark.parametrize("encoding", ["utf-16", "latin1"])
def test_lines_that_are_not_utf8_are_explained(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.jsonl").write_bytes('{"id": "é"}'.encode(encoding))
    with pytest.raises(ValueError, match="a.jsonl: line 1 is not UTF-8 text"):
        _rows(tmp_path / "a.jsonl")


@pytest.mark.parametrize("names", ["", [], [""], None, 5, [5]])
def test_no_file_at_all_is_refused(names: Any) -> None:
    with pytest.raises(ValueError, match="ann_file must name a file or several, got"):
        annotation_paths(names)
