"""Keeps the log history at a length that costs nothing."""

from typing import Any

from mmengine.hooks import Hook

from elva.registry import HOOKS


@HOOKS.register_module()
class BoundedHistoryHook(Hook):
    """Keep the last ``length`` values of every logged scalar in memory and in checkpoints.

    MMEngine keeps a million and copies the whole array at every iteration, for every scalar: at iteration 100,000 with
    thirty scalars, milliseconds a step. Smoothing needs a few dozen; the whole curve is in TensorBoard and in
    ``vis_data/scalars.json``.

    Args:
        length: Values to keep; at least the log processor's window. Default: 1000.
    """

    priority = "VERY_LOW"

    def __init__(self, length: int = 1000) -> None:
        self.length = length

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Set the bound, now and then: a scalar that was logged for the first time has MMEngine's own."""
        if self.every_n_inner_iters(batch_idx, self.length):
            for history in runner.message_hub.log_scalars.values():
                history.max_length = self.length
