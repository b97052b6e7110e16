import json
import pickle

import pytest

from elva.datasets.annotations import open_annotations
from elva.datasets.annotations.byte_ranges import blocks


@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_lines_are_counted_through_all_blocks(tmp_path, suffix):
    path = tmp_path / f"long.{suffix}"
    rows = [{"id": str(number), "text": "x" * (number * 997 % 5000)} for number in range(300)]
    lines = [json.dumps(row) for row in rows]
    text = "[\n" + ",\n\n".join(lines) + "\n]" if suffix == "json" else "\n\n".join(lines)
    path.write_text(text)
    assert len(list(blocks(path))) > 2
    file = open_annotations(path)
    first = 2 if suffix == "json" else 1
    for number in (0, 1, 150, 299, 37):
        assert f"line {first + 2 * number}" in file.where(number)
    assert pickle.loads(pickle.dumps(file)).where(299) == file.where(299)


@pytest.mark.parametrize("rows", [1, 20])
def test_a_file_that_was_changed_is_told_from_a_bad_line(tmp_path, rows):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1}\n' * 10)
    file = open_annotations(path)
    assert file[9] == {"id": 1}
    path.write_text('{"id": "longer"}\n' * rows)  # shorter in all, or longer
    with pytest.raises(ValueError, match=r"a.jsonl was changed after it was opened: start again"):
        [file[number] for number in range(10)]


def test_the_file_is_gone_through_once(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1}\n' * 10)
    file = open_annotations(path)
    read = []
    monkeypatch.setattr("elva.datasets.annotations.byte_ranges.blocks", lambda path: read.append(path) or blocks(path))
    assert [file.where(number)[-6:] for number in range(3)] == ["line 1", "line 2", "line 3"]
    assert len(read) == 1
