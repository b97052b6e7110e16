import errno
import signal
import sys
from argparse import ArgumentParser
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch.utils.data import DataLoader

from elva.engine.optimizers.mixed_precision import autocast_dtype
from elva.utils import launch
from elva.utils.interrupted import Interrupted
from tests.test_engine.toy import ToyData, toy_config


def parse(*words: str):
    parser = ArgumentParser()
    launch.add_common_arguments(parser)
    return parser.parse_args(words)


@pytest.fixture
def config(tmp_path) -> Path:
    cfg = toy_config(tmp_path)
    cfg.pop("work_dir")
    cfg.dump(tmp_path / "toy.py")
    return tmp_path / "toy.py"


def test_work_dir_is_the_options_then_the_configs_then_by_the_name(config):
    assert launch.load_config(parse(str(config))).work_dir == "work_dirs/toy"
    config.write_text(config.read_text() + "work_dir = 'theirs'\n")
    assert launch.load_config(parse(str(config))).work_dir == "theirs"
    assert launch.load_config(parse(str(config), "--work-dir", "mine")).work_dir == "mine"


def test_options_change_the_config_and_are_checked(config):
    cfg = launch.load_config(parse(str(config), "--cfg-options", "train_dataloader.batch_size=7", "model.width=5"))
    assert (cfg.train_dataloader.batch_size, cfg.model.width) == (7, 5)
    with pytest.raises(ValueError, match="Did you mean 'batch_size'"):
        launch.load_config(parse(str(config), "--cfg-options", "train_dataloader.batchsize=7"))


def test_missing_config_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no config none\.py \(the working directory is /"):
        launch.read_config("none.py")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model = dict(", "SyntaxError"),
        ("_base_ = 'none.py'", "none.py"),
        ("custom_imports = dict(imports=['no.such.module'], allow_failed_imports=False)", "no.such.module"),
    ],
)
def test_unreadable_config_is_named(tmp_path, text, message):
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(ValueError, match=rf"bad\.py cannot be read: .*{message}"):
        launch.read_config(tmp_path / "bad.py")


@pytest.mark.parametrize("wrapper", [None, {}, {"type": "OptimWrapper"}, {"type": "AmpOptimWrapper"}])
def test_amp_exchanges_the_wrapper(wrapper):
    cfg = Config(dict(optim_wrapper=wrapper))
    launch.enable_amp(cfg)
    assert cfg.optim_wrapper.type == "MixedPrecisionOptimWrapper"


def test_amp_does_not_exchange_a_wrapper_it_does_not_know():
    with pytest.raises(ValueError, match="--amp cannot exchange optim_wrapper.type='Mine'"):
        launch.enable_amp(Config(dict(optim_wrapper=dict(type="Mine"))))


@pytest.fixture
def saved(tmp_path) -> Config:
    """A config whose work dir has a checkpoint, and that starts from another."""
    (tmp_path / "run").mkdir()
    for name in ("run/iter_3.pth", "stage1.pth"):
        (tmp_path / name).touch()
    (tmp_path / "run/last_checkpoint").write_text(str(tmp_path / "run/iter_3.pth"))
    return Config(dict(work_dir=str(tmp_path / "run"), load_from=str(tmp_path / "stage1.pth"), resume=False))


def test_without_resume_the_config_decides(saved, tmp_path):
    launch.set_resume(saved, None)
    assert (saved.resume, saved.load_from) == (False, str(tmp_path / "stage1.pth"))


def test_auto_resume_takes_the_newest_of_the_work_dir_not_the_stage_before(saved, tmp_path):
    launch.set_resume(saved, "auto")
    assert (saved.resume, saved.load_from) == (True, str(tmp_path / "run/iter_3.pth"))


def test_auto_resume_survives_a_move_of_the_work_dir(saved, tmp_path):
    (tmp_path / "run").rename(tmp_path / "moved")
    saved.work_dir = str(tmp_path / "moved")
    launch.set_resume(saved, "auto")
    assert saved.load_from == str(tmp_path / "moved/iter_3.pth")


def test_auto_resume_of_nothing_starts_from_the_stage_before_and_says_so(saved, tmp_path, capsys):
    saved.work_dir = str(tmp_path / "new")
    launch.set_resume(saved, "auto")
    assert (saved.resume, saved.load_from) == (False, str(tmp_path / "stage1.pth"))
    assert f"Nothing to resume in {tmp_path / 'new'}: training starts anew." in capsys.readouterr().err


def test_auto_resume_of_an_empty_name_does_not_start_anew(saved, tmp_path):
    (tmp_path / "run/last_checkpoint").write_text("")
    with pytest.raises(ValueError, match=r"run/last_checkpoint is empty: name the checkpoint, --resume PATH"):
        launch.set_resume(saved, "auto")


def test_resume_takes_a_path(saved, tmp_path):
    launch.set_resume(saved, str(tmp_path / "stage1.pth"))
    assert (saved.resume, saved.load_from) == (True, str(tmp_path / "stage1.pth"))


@pytest.mark.parametrize("resume", [None, "none.pth"])
def test_missing_checkpoint_is_named_before_anything_is_built(saved, resume):
    saved.load_from = "gone.pth"
    message = r"no checkpoint none\.pth\.$" if resume else r"no checkpoint gone\.pth\. .*train the stage before"
    with pytest.raises(FileNotFoundError, match=message):
        launch.set_resume(saved, resume)


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (["t.py", "c.py"], "python t.py c.py --resume"),
        (["t.py", "c.py", "--resume", "--amp"], "python t.py c.py --amp --resume"),
        (["t.py", "--resume", "a b.pth", "c.py"], "python t.py c.py --resume"),
        (["t.py", "--resume=a.pth", "c 1.py"], "python t.py 'c 1.py' --resume"),
    ],
)
def test_command_to_resume_with(argv, command):
    assert launch.resume_command(argv) == command


def run_raising(error: BaseException) -> int:
    def main() -> None:
        raise error

    return launch.run(main)


def test_exit_code_of_success():
    assert launch.run(lambda: None) == 0


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_training_says_how_to_go_on(signum, code, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tools/train.py", "c.py"])
    assert run_raising(Interrupted(Path("w/interrupted.pth"), signum)) == code
    expected = "Interrupted; w/interrupted.pth is saved. Continue with: python tools/train.py c.py --resume\n"
    assert capsys.readouterr().err == "\n" + expected


def test_aborted_run_says_that_nothing_was_saved(capsys):
    assert run_raising(KeyboardInterrupt()) == 130
    assert "nothing was saved" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError("There is no checkpoint x."), "error: There is no checkpoint x.\n"),
        (OSError(errno.ENOSPC, "No space for a checkpoint", "/disk"), "error: No space for a checkpoint: /disk\n"),
        (PermissionError(errno.EACCES, "Permission denied", "/root/x"), "Permission denied: '/root/x'"),
    ],
)
def test_users_mistake_is_one_message_and_exit_code_2(error, message, capsys):
    assert run_raising(error) == 2
    assert message in capsys.readouterr().err


def caught(function, *args) -> BaseException:
    try:
        function(*args)
    except BaseException as error:  # any: it is looked at, not handled
        return error
    raise AssertionError("nothing was raised")


def test_value_error_of_this_package_is_the_users():
    assert "one of bfloat16" in launch.user_message(caught(autocast_dtype, "float8", "cpu"))


def test_faults_of_the_program_keep_their_traceback():
    assert launch.user_message(caught(torch.tensor, [[1], [1, 2]])) is None
    assert launch.user_message(caught(torch.stack, [torch.zeros(2), torch.zeros(3)])) is None
    assert launch.user_message(caught(Path, 3)) is None
    with pytest.raises(RuntimeError, match="a fault"):
        run_raising(RuntimeError("a fault"))


class BadData(ToyData):
    def __getitem__(self, index: int):
        return launch.enable_amp(Config(dict(optim_wrapper=dict(type="Mine"))))


class FullDisk(ToyData):
    def __getitem__(self, index):
        raise OSError(errno.ENOSPC, "No space left on device", "/disk/frame")


class BrokenData(ToyData):
    def __getitem__(self, index: int):
        return torch.tensor([[1], [1, 2]])  # torch raises a ValueError


def test_error_in_a_worker_is_shown_without_the_workers_traceback():
    error = caught(next, iter(DataLoader(BadData(), batch_size=1, num_workers=1)))
    assert "Original Traceback" in str(error)
    message = launch.user_message(error)
    assert message == "--amp cannot exchange optim_wrapper.type='Mine'; take mixed precision from it."
    assert launch.user_message(caught(next, iter(DataLoader(BrokenData(), num_workers=1)))) is None
    full = launch.user_message(caught(next, iter(DataLoader(FullDisk(), num_workers=1))))
    assert full == "[Errno 28] No space left on device: '/disk/frame'"
