import json
from pathlib import Path

import pytest

from elva.datasets import open_annotations


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
    ],
)
def test_bad_files_are_explained(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _rows(_write(tmp_path / name, text))


def test_binary_files_are_explained(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="a.json' is not UTF-8 text"):
        _rows(tmp_path / "a.json")
