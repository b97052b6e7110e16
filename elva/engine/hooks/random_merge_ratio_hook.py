"""Trains with a merge ratio drawn at random, so that one checkpoint serves every ratio."""

import random
from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from elva.registry import HOOKS


@HOOKS.register_module()
class RandomMergeRatioHook(Hook):
    """Set ``model.merger.ratio`` to one of ``choices`` before each training iteration; logged as ``merge/ratio``.

    Every rank draws the same one, and a resumed run draws what an uninterrupted one would: the draw depends on the
    seed and the iteration alone. Validation, test and what comes after training see the config's own ratio.

    Args:
        choices: Ratios to draw from, each as likely as the next. Default: 0, 0.25, 0.5.
        seed: Default: the runner's.

    Raises:
        ValueError: If ``choices`` is empty, or the model's merger has no ``ratio``.
    """

    def __init__(self, choices: Sequence[float] = (0.0, 0.25, 0.5), seed: int | None = None) -> None:
        if not choices:
            raise ValueError("RandomMergeRatioHook needs at least one ratio in 'choices'.")
        self.choices, self.seed = tuple(choices), seed

    def before_train(self, runner: Any) -> None:
        """Remember the config's ratio."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        merger: Any = getattr(model, "merger", None)
        if not hasattr(merger, "ratio"):
            found = "there is no merger" if merger is None else f"the merger is a {type(merger).__name__}, without one"
            raise ValueError(
                f"RandomMergeRatioHook sets model.merger.ratio, but {found}. Take the hook out of the config, or "
                "choose a merger with a ratio."
            )
        self._merger, self._configured = merger, merger.ratio

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Draw, set and log."""
        seed = runner.seed if self.seed is None else self.seed
        ratio = random.Random(seed * 1_000_003 + runner.iter).choice(self.choices)
        self._merger.ratio = ratio
        runner.message_hub.update_scalar("train/merge/ratio", ratio)

    def before_val(self, runner: Any) -> None:
        """Back to the config's ratio (validation may also run without training)."""
        if hasattr(self, "_configured"):
            self._merger.ratio = self._configured

    def after_train(self, runner: Any) -> None:
        """Back to the config's ratio."""
        self._merger.ratio = self._configured
