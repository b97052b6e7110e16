import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from elva.utils import launch
from tests.test_engine.toy import toy_config
from tools import train

ROOT = Path(__file__).parents[2]
ENV = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def config(tmp_path) -> Path:
    cfg = toy_config(tmp_path / "run", max_iters=6)
    cfg.log_level = "INFO"
    cfg.dump(tmp_path / "toy.py")
    return tmp_path / "toy.py"


def main(monkeypatch, *words: object) -> int:
    """The command in this process."""
    monkeypatch.setattr(sys, "argv", ["tools/train.py", *map(str, words)])
    return launch.run(train.main)


def start(*words: object) -> subprocess.Popen:
    """The command in a process of its own, in a session of its own, as in a terminal."""
    command = [sys.executable, str(ROOT / "tools/train.py"), *map(str, words)]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return subprocess.Popen(command, env=ENV, start_new_session=True, **pipes)


def checkpoint(path: Path) -> dict:
    return torch.load(path, weights_only=True)


def test_trains_and_resumes(config, tmp_path, monkeypatch):
    assert main(monkeypatch, config) == 0
    assert checkpoint(tmp_path / "run/iter_6.pth")["meta"]["iter"] == 6
    assert main(monkeypatch, config, "--resume", "--cfg-options", "train_cfg.max_iters=8") == 0
    again = checkpoint(tmp_path / "run/iter_8.pth")
    assert again["meta"]["iter"] == 8
    assert len(again["message_hub"]["log_scalars"]["train/loss_gen"]["values"]) == 8


def test_work_dir_amp_and_no_validate(config, tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("validated")

    monkeypatch.setattr("mmengine.runner.ValLoop.run", refuse)
    words = ("--work-dir", tmp_path / "other", "--amp", "--no-validate")
    assert main(monkeypatch, config, *words) == 0
    dumped = (tmp_path / "other/toy.py").read_text()
    assert "MixedPrecisionOptimWrapper" in dumped
    assert "loss_scaler" in checkpoint(tmp_path / "other/iter_6.pth")["optimizer"]


def test_dry_run_prints_the_estimate_and_trains_nothing(config, tmp_path, monkeypatch, capsys):
    import elva.apis.dry_run as estimates

    monkeypatch.setattr(estimates, "dry_run", lambda cfg: f"estimate of {cfg.model.type}")
    assert main(monkeypatch, config, "--dry-run", "--cfg-options", "load_from=gone.pth") == 0
    assert "estimate of ToyModel" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.py"], r"error: There is no config none\.py"),
        (["--cfg-options", "model.widht=3"], "ToyModel has no argument 'widht'. Did you mean 'width'?"),
        (["--cfg-options", "load_from=gone.pth"], r"error: There is no checkpoint gone\.pth"),
        (["--resume", "gone.pth"], r"error: There is no checkpoint gone\.pth\."),
        (["--launcher", "mpi"], "--launcher mpi needs GPUs"),
    ],
)
def test_mistakes_are_one_message_and_exit_code_2(config, monkeypatch, capsys, words, message):
    if "mpi" in words and torch.cuda.is_available():
        pytest.fail("this expectation is of a machine without a GPU")
    assert main(monkeypatch, *([] if words[0] == "none.py" else [config]), *words) == 2
    err = capsys.readouterr().err
    assert re.search(message, err)
    assert "Traceback" not in err


def test_config_without_training_data_is_refused(config, monkeypatch, capsys):
    config.write_text(config.read_text() + "\ntrain_dataloader = train_cfg = optim_wrapper = param_scheduler = None\n")
    assert main(monkeypatch, config) == 2
    assert "has no train_dataloader: it is a config for testing alone" in capsys.readouterr().err


def test_pickle_with_code_and_wrong_checkpoint_stop_the_command(config, tmp_path, monkeypatch, capsys):
    torch.save({"state_dict": {"fc.weight": torch.zeros(1, 9)}}, tmp_path / "wrong.pth")
    assert main(monkeypatch, config, "--cfg-options", f"load_from={tmp_path}/wrong.pth") == 2
    assert "does not fit the model of this config (ToyModel)" in capsys.readouterr().err
    torch.save({"state_dict": {}, "x": toy_config}, tmp_path / "code.pth")
    assert main(monkeypatch, config, "--cfg-options", f"load_from={tmp_path}/code.pth") == 2
    message = "code.pth is refused: it holds more than tensors and plain values (tests.test_engine.toy.toy_config)"
    assert message in capsys.readouterr().err


def interrupt(child: subprocess.Popen, marker: Path, signum: int) -> tuple[int, str]:
    """Signal the whole group, as a terminal does, once training is on its way; returns exit code and stderr."""
    deadline = time.monotonic() + 120
    while not any(marker.glob("*/*.log")) or "Iter(train)" not in next(marker.glob("*/*.log")).read_text():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline, "training did not start"
        time.sleep(0.1)
    os.killpg(child.pid, signum)
    _, err = child.communicate(timeout=60)
    return child.returncode, err


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_keeps_a_checkpoint_to_continue_from(config, tmp_path, monkeypatch, signum, code):
    forever = ("--cfg-options", "train_cfg.max_iters=1000000", "train_dataloader.num_workers=2")
    child = start(config, *forever)
    found, err = interrupt(child, tmp_path / "run", signum)
    assert found == code, err
    saved = tmp_path / "run/interrupted.pth"
    assert err.strip().startswith(f"Interrupted; {saved} is saved. Continue with: python")
    assert "Traceback" not in err
    assert err.strip().endswith("--resume")
    with pytest.raises(ProcessLookupError):  # neither the process nor a worker is left of the group
        os.killpg(child.pid, 0)

    state = checkpoint(saved)
    done = state["meta"]["iter"]
    history = state["message_hub"]["log_scalars"]["train/loss_gen"]["values"].tolist()
    more = ("--cfg-options", f"train_cfg.max_iters={done + 3}", "default_hooks.bounded_history.length=100000000")
    assert main(monkeypatch, config, "--resume", *more) == 0
    resumed = checkpoint(tmp_path / f"run/iter_{done + 3}.pth")
    whole = ("--work-dir", tmp_path / "whole", *more)
    assert main(monkeypatch, config, *whole) == 0
    uninterrupted = checkpoint(tmp_path / f"whole/iter_{done + 3}.pth")
    assert torch.equal(resumed["state_dict"]["fc.weight"], uninterrupted["state_dict"]["fc.weight"])
    losses = uninterrupted["message_hub"]["log_scalars"]["train/loss_gen"]["values"].tolist()
    assert losses[done - len(history) : done] == history


def test_data_error_in_a_worker_is_readable(config, tmp_path):
    (tmp_path / "broken_data.py").write_text(
        "from elva.registry import DATASETS\n"
        "from elva.utils.results import check_out\n"
        "from tests.test_engine.toy import ToyData\n"
        "@DATASETS.register_module()\n"
        "class BrokenData(ToyData):\n"
        "    def __getitem__(self, index):\n"
        "        check_out('x.pkl')\n"
    )
    data = ("train_dataloader.dataset.type=BrokenData", "train_dataloader.num_workers=1")
    words = ("--cfg-options", "custom_imports.imports=[tests.test_engine.toy,broken_data]", *data)
    command = [sys.executable, ROOT / "tools/train.py", config, *words]
    env = ENV | {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    result = subprocess.run(command, env=env, capture_output=True, text=True)
    assert result.returncode == 2
    message = "error: --out x.pkl: results are written as .json or .jsonl, which anything can read."
    assert result.stderr.strip().endswith(message)
    assert "Traceback" not in result.stderr
