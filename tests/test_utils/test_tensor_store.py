import os
from pathlib import Path

import pytest
import torch

from elva.utils.tensor_store import TensorStore

KEYS = ["aa1", "ab2", "ba3"]


def tensors(value: float = 0.0, count: int = 256) -> dict[str, torch.Tensor]:
    return {"x": torch.full((count,), value), "n": torch.tensor([3])}


@pytest.fixture
def warnings(monkeypatch):
    messages = []
    monkeypatch.setattr("mmengine.logging.MMLogger.warning", lambda self, text: messages.append(text))
    return messages


def left(folder: Path) -> set[str]:
    return {path.stem for path in folder.rglob("*.safetensors")}


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_what_was_put_is_got_by_another_process_store(tmp_path):
    TensorStore(tmp_path).put("aa1", tensors(2.0))
    stored = TensorStore(tmp_path).get("aa1")
    assert stored.keys() == {"x", "n"}
    assert torch.equal(stored["x"], torch.full((256,), 2.0))
    assert TensorStore(tmp_path).get("aa2") is None


def test_an_unreadable_file_counts_as_missing_and_is_replaced(tmp_path, warnings):
    store = TensorStore(tmp_path, name="Things")
    store.put("aa1", tensors())
    file = tmp_path / "aa" / "aa1.safetensors"
    file.write_bytes(file.read_bytes()[:30])
    assert store.get("aa1") is None
    assert len(warnings) == 1
    assert warnings[0].startswith("Things: ") and "aa1.safetensors is unreadable" in warnings[0]
    store.put("aa1", tensors(1.0))
    assert store.get("aa1")["x"][0] == 1


def test_a_folder_that_cannot_be_written_ends_the_storing(tmp_path, warnings):
    (tmp_path / "file").write_text("")
    store = TensorStore(tmp_path / "file")
    store.put("aa1", tensors())
    store.put("aa2", tensors())
    assert len(warnings) == 1
    assert "storing ends" in warnings[0]


def test_what_was_unused_for_longest_goes_first(tmp_path):
    store = TensorStore(tmp_path)
    for age, key in enumerate(KEYS):
        store.put(key, tensors())
        os.utime(tmp_path / key[:2] / f"{key}.safetensors", (1000 - age, 1000 - age))  # the last is the oldest
    size = bytes_in(tmp_path) // 3
    bounded = TensorStore(tmp_path, max_bytes=int(3.5 * size))
    assert bounded.get(KEYS[2]) is not None  # used now
    bounded.put("cc4", tensors())
    assert left(tmp_path) == {"aa1", "ba3", "cc4"}


def test_the_bound_holds_for_two_writers_that_know_nothing_of_each_other(tmp_path):
    TensorStore(tmp_path).put("aa0", tensors())
    size = bytes_in(tmp_path)
    stores = [TensorStore(tmp_path, max_bytes=20 * size) for _ in range(2)]
    for number in range(60):
        stores[number % 2].put(f"{number:02d}x", tensors())
        assert bytes_in(tmp_path) <= 20 * size


def test_what_a_killed_process_left_behind_is_deleted_too(tmp_path):
    (tmp_path / "aa").mkdir()
    (tmp_path / "aa" / "tmp1.part").write_bytes(b"0" * 5000)
    os.utime(tmp_path / "aa" / "tmp1.part", (1, 1))
    TensorStore(tmp_path, max_bytes=4000).put("ab2", tensors())
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["ab2.safetensors"]


def test_what_is_larger_than_the_bound_is_not_stored(tmp_path):
    store = TensorStore(tmp_path, max_bytes=1000)
    store.put("aa1", tensors())
    assert bytes_in(tmp_path) == 0


def test_a_bound_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="max_bytes must be positive"):
        TensorStore(tmp_path, max_bytes=0)
