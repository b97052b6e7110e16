"""Tells the data sets where to write the samples that they skip, and reports how many there are."""

from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from elva.registry import HOOKS


@HOOKS.register_module()
class SkippedSamplesHook(Hook):
    """Write every skipped sample to ``work_dir/skipped.jsonl``; report new ones at each log interval.

    The data set itself stops the run when too many are skipped: it knows which of its samples were, in any worker.

    Args:
        interval: Iterations between looks at the file. Default: 50.
    """

    def __init__(self, interval: int = 50) -> None:
        self.interval = interval
        self._before: int | None = None  # lines that earlier runs left in the file
        self._reported = 0

    def before_train(self, runner: Any) -> None:
        """Give the training data their log; it runs before the workers start."""
        self._attach(runner, runner.train_dataloader.dataset)

    def before_val(self, runner: Any) -> None:
        """Give the validation data theirs."""
        self._attach(runner, runner.val_dataloader.dataset)

    def before_test(self, runner: Any) -> None:
        """Give the test data theirs."""
        self._attach(runner, runner.test_dataloader.dataset)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Report what is new in the file."""
        if self.every_n_inner_iters(batch_idx, self.interval):
            self._report(runner)

    def after_train(self, runner: Any) -> None:
        """Report what is left to report."""
        self._report(runner)

    def after_test(self, runner: Any) -> None:
        """Report the skipped samples of a test: its accuracy is not of the whole data set."""
        self._report(runner)

    def _attach(self, runner: Any, dataset: Any) -> None:
        if hasattr(dataset, "skip_log"):
            from elva.datasets.skips import SkipLog  # the decoding libraries come with it

            path = self._path(runner)
            self._before = _count_lines(path) if self._before is None else self._before
            dataset.skip_log = SkipLog(path)

    def _report(self, runner: Any) -> None:
        skipped = _count_lines(self._path(runner)) - (self._before or 0)
        if skipped > self._reported:
            runner.logger.warning(f"{skipped} bad samples so far; each is named in {self._path(runner)}.")
            self._reported = skipped

    @staticmethod
    def _path(runner: Any) -> Path:
        return Path(runner.work_dir, "skipped.jsonl")


def _count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0
