"""Trainings that follow one another, each starting from the checkpoint that the one before ended with."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config


def last_checkpoints(configs: Sequence[str | Path]) -> list[str]:
    """The checkpoint that each training ends with.

    Args:
        configs: Config files of trainings by iterations, in order; each names its ``work_dir``.

    Raises:
        ValueError: If a config's ``load_from`` is not the last checkpoint of the one before (none, for the first).
    """
    ends: list[str] = []
    before = None
    for config in configs:
        cfg = Config.fromfile(config)
        if cfg.get("load_from") != before:
            raise ValueError(
                f"{config}: load_from is '{cfg.get('load_from')}', but the stage before it ends with '{before}'. "
                "Correct load_from, or that stage's work_dir or train_cfg.max_iters."
            )
        before = f"{cfg.work_dir}/iter_{cfg.train_cfg.max_iters}.pth"
        ends.append(before)
    return ends
