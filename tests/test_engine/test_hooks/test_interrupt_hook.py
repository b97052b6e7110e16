import os
import signal
import threading

import pytest
import torch
from mmengine.hooks import Hook

from elva.utils.interrupted import Interrupted
from tests.test_engine import toy
from tests.test_engine.toy import toy_config, train


class Signaller(Hook):
    """Sends this process a signal at one iteration of training or validation."""

    def __init__(self, signum: int, train_iter: int = -1, val_iter: int = -1) -> None:
        self.signum, self.train_iter, self.val_iter = signum, train_iter, val_iter

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == self.train_iter:
            os.kill(os.getpid(), self.signum)

    def before_val_iter(self, runner, batch_idx, data_batch=None) -> None:
        if batch_idx == self.val_iter:
            os.kill(os.getpid(), self.signum)


@pytest.fixture(autouse=True)
def handlers():
    """Whatever happens in a test, the signals' handlers afterwards are those from before."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
    before = {signum: signal.getsignal(signum) for signum in signals}
    yield before
    for signum, handler in before.items():
        signal.signal(signum, handler)


def stop(cfg, signaller: Signaller) -> Interrupted:
    cfg.custom_hooks = [*cfg.get("custom_hooks", []), signaller]
    with pytest.raises(Interrupted) as stopped:
        train(cfg)
    return stopped.value


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_step_is_finished_and_saved_and_the_handlers_are_given_back(tmp_path, handlers, signum):
    stopped = stop(toy_config(tmp_path), Signaller(signum, train_iter=4))
    assert (stopped.checkpoint, stopped.signum) == (tmp_path / "interrupted.pth", signum)
    assert torch.load(stopped.checkpoint, weights_only=True)["meta"]["iter"] == 5
    assert (tmp_path / "last_checkpoint").read_text() == str(stopped.checkpoint)
    assert signal.getsignal(signal.SIGINT) is handlers[signal.SIGINT]
    assert signal.getsignal(signal.SIGTERM) is handlers[signal.SIGTERM]


def test_resumed_losses_are_those_of_an_uninterrupted_run(tmp_path):
    stop(toy_config(tmp_path / "parts"), Signaller(signal.SIGINT, train_iter=4))
    resumed = train(toy_config(tmp_path / "parts", resume=True))
    assert resumed.model.losses == train(toy_config(tmp_path / "whole")).model.losses[5:]


def test_stop_waits_for_the_update_of_accumulated_gradients(tmp_path):
    cfg = toy_config(tmp_path, optim_wrapper__accumulative_counts=4)
    assert torch.load(stop(cfg, Signaller(signal.SIGINT, train_iter=4)).checkpoint)["meta"]["iter"] == 8


@pytest.mark.parametrize("ema", [False, True])
def test_stop_within_a_validation_saves_what_training_had(tmp_path, ema):
    changes = dict(train_cfg__val_interval=6, custom_hooks=[dict(type="EMAHook")] if ema else [])
    reference = toy_config(tmp_path / "reference", **changes)
    reference.train_cfg.max_iters, reference.train_cfg.val_interval = 6, 100
    train(reference)
    expected = torch.load(tmp_path / "reference/iter_6.pth")
    saved = torch.load(stop(toy_config(tmp_path / "run", **changes), Signaller(signal.SIGINT, val_iter=1)).checkpoint)
    assert saved["meta"]["iter"] == 6
    for part in ["state_dict"] + ["ema_state_dict"] * ema:
        assert all(torch.equal(saved[part][name], weight) for name, weight in expected[part].items())


def test_second_signal_aborts_at_once(tmp_path, monkeypatch):
    def again(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    cfg = toy_config(tmp_path)
    cfg.custom_hooks = [Signaller(signal.SIGINT, train_iter=0)]
    monkeypatch.setattr(toy.ToyModel, "train_step", again)
    with pytest.raises(KeyboardInterrupt) as stopped:
        train(cfg)
    assert not isinstance(stopped.value, Interrupted)
    assert not (tmp_path / "interrupted.pth").exists()


def test_training_that_fails_gives_the_signals_back(tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise ArithmeticError

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(toy.ToyModel, "train_step", fail)
    with pytest.raises(ArithmeticError):
        train(toy_config(tmp_path))
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_workers_that_end_with_the_signal_are_no_error(tmp_path, monkeypatch):
    def end(self, index: int) -> None:
        if len(self.seen) == 3:  # a worker ends itself after three samples, and the main process gets the signal too
            os.kill(os.getppid(), signal.SIGTERM)
            os._exit(1)
        return good(self, index)

    good = toy.ToyData.__getitem__
    monkeypatch.setattr(toy.ToyData, "__getitem__", end)
    stopped = stop(toy_config(tmp_path, train_dataloader__num_workers=1), Signaller(signal.SIGINT))
    assert stopped.signum == signal.SIGTERM
    assert torch.load(stopped.checkpoint)["meta"]["iter"] <= 1


def test_lost_worker_without_a_signal_stays_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(toy.ToyData, "__getitem__", lambda *_: os._exit(1))
    with pytest.raises(RuntimeError, match="DataLoader worker"):
        train(toy_config(tmp_path, train_dataloader__num_workers=1))
    assert not (tmp_path / "interrupted.pth").exists()


def test_training_outside_the_main_thread_works_without_it(tmp_path):
    done = []
    thread = threading.Thread(target=lambda: done.append(train(toy_config(tmp_path)).iter))
    thread.start()
    thread.join()
    assert done == [12]
