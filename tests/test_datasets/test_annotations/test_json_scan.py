import json
import random
from pathlib import Path

import numpy as np
import pytest

from elva.datasets import open_annotations
from elva.datasets.annotations.json_scan import JSONScan


def scanned(text: str, block: int) -> list[dict] | None:
    """The objects that a scan finds in blocks of so many bytes."""
    content = text.encode()
    scan = JSONScan()
    for place in range(0, len(content), block):
        scan.add(place, np.frombuffer(content[place : place + block], np.uint8))
    found = scan.objects()
    return None if found is None else [json.loads(content[a:b]) for a, b in zip(*found, strict=True)]


def random_text(draw: random.Random) -> str:
    return "".join(draw.choices(['"', "\\", "{", "}", "[", "]", ",", "ü", "\n", " ", "a"], k=draw.randrange(9)))


def random_row(draw: random.Random) -> dict:
    return {random_text(draw): random_text(draw), "x": [{random_text(draw): [1, {}]}, random_text(draw)]}


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64, 1 << 18])
def test_any_array_gives_its_objects_in_blocks_of_any_size(block: int) -> None:
    draw = random.Random(block)
    for length in (1, 2, 5):
        rows = [random_row(draw) for _ in range(length)]
        for layout in ({}, {"indent": 1}, {"ensure_ascii": False}, {"separators": (",", ":")}):
            assert scanned(f"\ufeff {json.dumps(rows, **layout)}\n", block) == rows


EMPTY = ["", "[", "]", "{}", "[{}", "{}]", "[{},]", "[,{}]", "[{} {}]", "[{},,{}]", "[{}]]", "[[{}]]", "[{}] {}", "}{"]
OTHER = ["}{[]", '["a"]', '[{"a": "}]', "[1]", "[{}, null]", '[{"a": {}]', "[{}},{]", ",[{}]", "[{}],", '[{}, "a", {}]']


@pytest.mark.parametrize("text", [*EMPTY, *OTHER])
@pytest.mark.parametrize("block", [1, 2, 64])
def test_what_is_no_array_of_objects_is_seen(text: str, block: int) -> None:
    assert scanned(text, block) is None


def test_nothing_is_found_in_an_empty_array() -> None:
    assert scanned(" [ ] ", 2) == []


def test_large_files_keep_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("elva.datasets.annotations.json_array._SMALL", 0)
    path = tmp_path / "a.json"
    path.write_text('[{"id": 1}, {"id": 2}]')
    assert [row["id"] for row in map(open_annotations(path).__getitem__, range(2))] == [1, 2]
    (kept,) = (tmp_path / "cache").rglob("*.npy")
    monkeypatch.setattr("elva.datasets.annotations.json_array._find", None)  # it is not looked through again
    assert open_annotations(path)[1] == {"id": 2}
    monkeypatch.undo()
    path.write_text('[{"id": 3}]')
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("elva.datasets.annotations.json_array._SMALL", 0)
    assert open_annotations(path)[0] == {"id": 3} and not kept.exists()


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("elva.datasets.annotations.json_array._SMALL", 0)
    (tmp_path / "a.json").write_text('[{"id": 1}]')
    assert open_annotations(tmp_path / "a.json")[0] == {"id": 1}
