"""Tokens a second and memory, in the console, TensorBoard and ``scalars.json``."""

import resource
import sys
from typing import Any

import torch
from mmengine.hooks import Hook, LoggerHook

from elva.registry import HOOKS


@HOOKS.register_module()
class ThroughputHook(Hook):
    """Log ``tokens_per_s`` (rows that enter the first layer, all ranks, over wall time) and, on a CPU, ``memory``.

    ``memory`` is the peak resident set in MiB; on a GPU MMEngine logs the peak of the allocated memory by that name.
    The rows are the model's ``rows/layer00`` (mean of the batch's samples); without it there is no ``tokens_per_s``.
    Both are means over the interval of the ``LoggerHook``.
    """

    def before_train(self, runner: Any) -> None:
        """Take over the logger's interval."""
        self.interval = next((hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)), 10)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Work out both from the log history of the last ``interval`` iterations, before the logger prints them."""
        if not self.every_n_inner_iters(batch_idx, self.interval):
            return
        hub = runner.message_hub
        rows, times = hub.log_scalars.get("train/rows/layer00"), hub.log_scalars.get("train/time")
        if rows is not None and times is not None:
            samples = runner.train_dataloader.batch_size * runner.world_size
            seconds = float(times.mean(self.interval))
            hub.update_scalar("train/tokens_per_s", round(float(rows.mean(self.interval)) * samples / seconds, 1))
        if not torch.cuda.is_available():
            hub.update_scalar("train/memory", peak_rss() >> 20)


def peak_rss() -> int:
    """Peak resident set of this process in bytes, without its data loading workers."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
