"""Progress bars with the time left, where there is a terminal to draw them on."""

import sys
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from rich.progress import TaskID

from elva.registry import HOOKS
from elva.utils.progress import Bars


@HOOKS.register_module()
class ProgressHook(Hook):
    """Bars for training, validation and test on a terminal.

    Elsewhere it does nothing: MMEngine's log lines name the time left, and suffice in a file.
    """

    priority = "LOWEST"

    def __init__(self) -> None:
        self._bars: Bars | None = None
        self._train = self._evaluation = TaskID(0)
        self._training = False

    def before_train(self, runner: Any) -> None:
        """Start the bar at the iteration that training resumes from."""
        self._training = True
        self._train = self._add(runner, "train", runner.max_iters, runner.iter)

    def before_val(self, runner: Any) -> None:
        """Start the bar of the validation."""
        self._evaluation = self._add(runner, "val", len(runner.val_dataloader))

    def before_test(self, runner: Any) -> None:
        """Start the bar of the test."""
        self._evaluation = self._add(runner, "test", len(runner.test_dataloader))

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """One iteration, with the loss."""
        if self._bars:
            loss = runner.message_hub.log_scalars.get("train/loss")
            self._bars.advance(self._train, f"loss {loss.current():.3f}" if loss else "")

    def after_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """One batch of a validation."""
        if self._bars:
            self._bars.advance(self._evaluation)

    def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """One batch of a test."""
        self.after_val_iter(runner, batch_idx)

    def after_val(self, runner: Any) -> None:
        """Take the validation's bar away."""
        if self._bars and self._training:
            self._bars.remove(self._evaluation)
        else:
            self._stop()

    def after_test(self, runner: Any) -> None:
        """End the display."""
        self._stop()

    def after_train(self, runner: Any) -> None:
        """End the display."""
        self._training = False
        self._stop()

    def _add(self, runner: Any, title: str, total: int, done: int = 0) -> TaskID:
        if not (sys.stderr.isatty() and is_main_process()):
            return TaskID(0)
        self._bars = self._bars or Bars(runner.logger)
        return self._bars.add(title, total, done)

    def _stop(self) -> None:
        if self._bars:
            self._bars.stop()
            self._bars = None
