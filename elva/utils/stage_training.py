"""Training stages in one process, one after another: what the experiments under tools/analysis_tools share."""

from pathlib import Path

from mmengine.config import Config
from mmengine.runner import FlexibleRunner, Runner

from elva.utils.interrupted import Interrupted

from . import launch


def shorten(cfg: Config, iters: int) -> Config:
    """Train ``iters`` iterations at most, on a schedule of the same shape. ``cfg`` is changed, and returned."""
    if iters >= cfg.train_cfg.max_iters:
        return cfg
    share = iters / cfg.train_cfg.max_iters
    for scheduler in cfg.get("param_scheduler") or ():
        marks = {key: scheduler[key] for key in ("begin", "end") if scheduler.get(key)}
        scheduler.update({key: max(2, round(mark * share)) for key, mark in marks.items()})  # 2: a ramp's least
    cfg.train_cfg.update(max_iters=iters, val_interval=iters)
    return cfg


def place(cfg: Config, work_dir: Path, start: str | Path | None) -> Config:
    """Let ``cfg`` train in ``work_dir`` from the checkpoint ``start`` (default: its own ``load_from``), unvalidated.

    ``cfg`` is changed, and returned.
    """
    cfg.work_dir, cfg.launcher = str(work_dir), "none"
    cfg.experiment_name = "_".join(work_dir.parts[-3:])
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.load_from = str(start) if start else cfg.get("load_from")
    return cfg


def last_checkpoint(cfg: Config) -> Path:
    """The checkpoint that a training by iterations ends with."""
    return Path(cfg.work_dir) / f"iter_{cfg.train_cfg.max_iters}.pth"


def train_stage(cfg: Config) -> Runner | FlexibleRunner:
    """Train; returns the runner, which can test what it trained.

    Raises:
        KeyboardInterrupt: After a signal; a table of experiments goes on with the next whole one.
    """
    launch.set_resume(cfg, None)
    runner = launch.build_runner(cfg)
    try:
        runner.train()
    except Interrupted as stop:
        raise KeyboardInterrupt from stop
    return runner
