"""Ctrl-C (and SIGTERM) end a training with a checkpoint to resume from."""

import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import EMAHook, Hook
from torch import distributed

from elva.registry import HOOKS
from elva.utils.interrupted import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@HOOKS.register_module()
class InterruptHook(Hook):
    """Finish the step that is running, save ``work_dir/interrupted.pth``, and raise :class:`Interrupted`.

    ``last_checkpoint`` then names that file, so that ``--resume`` continues from it. A second signal aborts at once.
    With accumulated gradients the stop waits for the next update: half a sum cannot be resumed. A terminal sends Ctrl-C
    to the workers that load data as well: they inherit the handler, and leave the decision to the main process.

    Args:
        interval: With several processes, iterations between their agreeing on a stop (they must stop at the same one,
            and asking costs a synchronisation). Default: 10.
    """

    priority = "LOWEST"  # after the hooks that log and save

    def __init__(self, interval: int = 10) -> None:
        self.interval = interval
        self._signum = 0
        self._previous: dict[int, Any] = {}

    def before_train(self, runner: Any) -> None:
        """Listen to the signals (which only a main thread may do)."""
        self._signum, self._logger = 0, runner.logger
        if threading.current_thread() is threading.main_thread():
            self._pid = os.getpid()
            self._previous = {signum: signal.signal(signum, self._on_signal) for signum in _SIGNALS}

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Stop if asked to, and if no gradient is half accumulated."""
        if runner.optim_wrapper.should_update() and self._stops(runner.iter + 1):
            self._stop(runner, runner.iter + 1)

    def after_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Stop during a validation within training; its result is not needed to resume."""
        if self._previous and self._stops(batch_idx + 1):
            self._stop(runner, runner.iter)

    def on_lost_workers(self, runner: Any) -> None:
        """Stop if the workers ended because the signal went to them too (``ResumableIterLoop`` calls it)."""
        if self._signum:
            self._stop(runner, runner.iter)

    def after_train(self, runner: Any) -> None:
        """Give the signals back."""
        self._restore()

    def on_train_exit(self, runner: Any) -> None:
        """Give the signals back, whatever ended the training (``ResumableIterLoop`` calls it)."""
        self._restore()

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:  # a worker: the main process decides
            return
        self._signum = signum
        self._restore()  # the next one does what it would without this hook
        signal.signal(signal.SIGCHLD, lambda *_: None)  # torch raises in the midst of a step when a worker ends
        self._logger.warning("Stopping after this step; a second Ctrl-C aborts at once, without a checkpoint.")

    def _stops(self, count: int) -> bool:
        if not (distributed.is_available() and distributed.is_initialized()):
            return self._signum != 0
        if count % self.interval:
            return False
        device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        latest = torch.tensor(self._signum, device=device)
        distributed.all_reduce(latest, distributed.ReduceOp.MAX)
        self._signum = int(latest)
        return self._signum != 0

    def _stop(self, runner: Any, iteration: int) -> None:
        if runner.message_hub.get_info("loop_stage") == "val":
            for hook in runner.hooks:
                if isinstance(hook, EMAHook):  # its averaged weights stand in the model's place until validation ends
                    hook.after_val_epoch(runner)
        path = Path(runner.work_dir, "interrupted.pth")
        meta = {"epoch": runner.epoch, "iter": iteration}
        runner.save_checkpoint(runner.work_dir, path.name, meta=meta, by_epoch=False)
        if is_main_process():
            Path(runner.work_dir, "last_checkpoint").write_text(str(path))
        self._restore()
        raise Interrupted(path, self._signum)

    def _restore(self) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)
