import errno
import os
import pickle
import re
import resource
import signal
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from torch import nn

from elva.utils.checkpoint import load_checkpoint, n_bytes, require_space, save_checkpoint, to_plain


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


def test_plain_values_stay_what_they_are():
    value = {"a": [1, 2.5, "x", None, True, b"raw"], "b": (1, 2), 3: torch.float16}
    assert to_plain(value) == value


def test_numpy_becomes_python_and_tensors():
    plain = to_plain({"loss": np.float64(0.5), "n": np.int64(3), "flag": np.bool_(True), "array": np.arange(3.0)})
    assert [type(plain[key]) for key in ("loss", "n", "flag")] == [float, int, bool]
    assert torch.equal(plain["array"], torch.arange(3.0, dtype=torch.float64))


def test_state_dict_keeps_the_versions_of_its_modules():
    state = nn.BatchNorm1d(2).state_dict()
    plain = to_plain(state)
    assert isinstance(plain, OrderedDict)
    assert plain._metadata == dict(state._metadata)


@pytest.mark.parametrize(
    ("value", "what"), [(len, "builtin_function"), (Evil(Path("x")), "Evil"), (np.array(["a"]), "ndarray")]
)
def test_what_has_no_plain_form_is_named_with_its_place(value, what):
    with pytest.raises(ValueError, match=rf"checkpoint\['meta'\]\[0\] is a .*{what}"):
        to_plain({"meta": [value]})


def test_round_trip_keeps_the_log_history(tmp_path):
    checkpoint = {
        "state_dict": nn.Linear(2, 1).state_dict(),
        "message_hub": {"log_scalars": {"train/loss": HistoryBuffer([3.0, 2.0, 1.0], [1, 1, 1])}},
        "param_schedulers": [{"last_step": 3, "anneal_func": np.cos}],
    }
    save_checkpoint(checkpoint, tmp_path / "a.pth")
    torch.load(tmp_path / "a.pth", weights_only=True)
    loaded = load_checkpoint(tmp_path / "a.pth")
    history = loaded["message_hub"]["log_scalars"]["train/loss"]
    history.update(0.0)
    assert history.mean(2) == 0.5
    assert history.statistics("max") == 3.0
    assert loaded["param_schedulers"] == [{"last_step": 3}]
    assert torch.equal(loaded["state_dict"]["weight"], checkpoint["state_dict"]["weight"])


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_pickle_with_code_is_refused_and_does_not_run(tmp_path, save):
    victim = tmp_path / "victim"
    save({"state_dict": {"w": torch.zeros(1)}, "extra": Evil(victim)}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match=r"evil\.pth is refused: it holds more .* \(posix\.system\)") as error:
        load_checkpoint(tmp_path / "evil.pth")
    assert "torch.save(model.state_dict(), ...)" in str(error.value)
    assert not victim.exists()


def test_checkpoint_of_mmengine_itself_is_refused_by_name(tmp_path):
    torch.save({"message_hub": HistoryBuffer([1.0], [1])}, tmp_path / "theirs.pth")
    with pytest.raises(ValueError, match="refused: .*HistoryBuffer"):
        load_checkpoint(tmp_path / "theirs.pth")


@pytest.mark.parametrize("content", [b"", b"hello world", b"half"])
def test_file_that_is_no_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "broken.pth"
    if content == b"half":
        torch.save({"w": torch.zeros(1000)}, path)
        content = path.read_bytes()[:2000]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"broken\.pth is no readable checkpoint.*\({len(content):,} bytes\)"):
        load_checkpoint(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(f"There is no checkpoint {tmp_path / 'none.pth'}")):
        load_checkpoint(tmp_path / "none.pth")


def test_file_of_something_else_is_named(tmp_path):
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="holds a list, not a dict"):
        load_checkpoint(tmp_path / "list.pth")


def test_bytes_of_shared_storage_count_once():
    weight = torch.zeros(10)
    assert n_bytes({"a": weight, "b": [weight[:5]], "c": torch.zeros(2, dtype=torch.float64)}) == 56


def test_full_disk_is_noticed_before_writing(tmp_path, monkeypatch):
    save_checkpoint({"w": torch.zeros(1)}, tmp_path / "a.pth")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 2**20}))
    with pytest.raises(OSError, match=r"checkpoint a\.pth: it needs 4\.0 MiB, 1\.0 MiB are free") as error:
        save_checkpoint({"w": torch.zeros(2**20)}, tmp_path / "a.pth")
    assert error.value.errno == errno.ENOSPC
    assert error.value.filename == str(tmp_path)
    assert load_checkpoint(tmp_path / "a.pth")["w"].numel() == 1


def test_enough_space_passes(tmp_path):
    require_space(tmp_path, 1, "a byte")
    save_checkpoint({"w": torch.zeros(1)}, tmp_path / "a.pth")
    assert (tmp_path / "a.pth").is_file()


def write_with_a_quota(folder: Path) -> None:
    """What the next test runs in a process of its own: a file may grow to 64 KiB there."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, 2**16))
    try:
        save_checkpoint({"w": torch.zeros(2**20)}, folder / "a.pth")
    except OSError as error:
        print(error)


def test_disk_that_fills_up_while_writing_costs_no_earlier_checkpoint(tmp_path):
    save_checkpoint({"w": torch.zeros(1)}, tmp_path / "a.pth")
    code = f"import tests.test_utils.test_checkpoint as t; t.write_with_a_quota(t.Path({str(tmp_path)!r}))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True
    )
    assert "No space for the checkpoint a.pth: it needs 4.0 MiB" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]
    assert load_checkpoint(tmp_path / "a.pth")["w"].numel() == 1
