"""What the Runner and its hooks add to a training step."""

import io
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from elva.datasets.moving_shapes import make_moving_shapes
from elva.engine.loops import ResumableIterLoop
from elva.registry import LOOPS
from elva.utils.tiny_llm import TinyLLMSettings, make_tiny_llm

from .result import Result
from .timing import median_ratio

CONFIG = Path(__file__).resolve().parents[3] / "configs" / "elva_tiny_stage2.py"


@LOOPS.register_module()
class PairedLoop(ResumableIterLoop):
    """Runs each step twice: through the Runner with all hooks, and bare; batches are loaded beforehand."""

    seconds: dict[str, list[float]]

    def run(self) -> Any:
        """Fill ``seconds``; the first steps warm up."""
        self.seconds = {"runner": [], "bare": []}
        batches = list(islice(self.dataloader, 4))
        self.runner.call_hook("before_train")
        self.runner.call_hook("before_train_epoch")
        self.runner.model.train()
        for number in range(self.max_iters):
            batch = batches[number % len(batches)]
            turns: list[tuple[str, Callable[[], Any]]] = [
                ("runner", lambda batch=batch: self.run_iter(batch)),  # type: ignore[misc]
                ("bare", lambda batch=batch: bare_step(self.runner.model, self.runner.optim_wrapper.optimizer, batch)),  # type: ignore[misc]
            ]
            for name, step in turns if number % 2 else reversed(turns):
                start = time.perf_counter()
                step()
                self.seconds[name].append(time.perf_counter() - start)
        self.runner.call_hook("on_train_exit")
        return self.runner.model


def bare_step(model: Any, optimizer: torch.optim.Optimizer, batch: Any) -> None:
    """The least that a training step of this recipe is."""
    data = model.data_preprocessor(batch, True)
    with torch.autocast("cpu", torch.bfloat16):
        losses = model(**data, mode="loss")
    total = torch.stack([value for name, value in losses.items() if "loss" in name]).sum()
    total.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


def train_step(steps: int = 40, batch_size: int = 32, warm_up: int = 4) -> list[Result]:
    """A step of the tiny recipe (stage 2, hooks of the default runtime) through the Runner, over the same step bare.

    Args:
        steps: Pairs of steps that are measured.
        batch_size: Samples a step.
        warm_up: Pairs before that.
    """
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        runner = Runner.from_cfg(_config(Path(folder), steps + warm_up, batch_size))
        runner.train()
        seconds = {name: times[warm_up:] for name, times in runner.train_loop.seconds.items()}
    details = {f"ms {name}": 1e3 * median(times) for name, times in seconds.items()}
    share = median_ratio(seconds["runner"], seconds["bare"])
    return [Result("training step: Runner over bare loop", share, 1.05, False, details)]


def _config(folder: Path, steps: int, batch_size: int) -> Config:
    """The tiny recipe on a few clips made for it, without the hook that makes steps unequal."""
    make_moving_shapes(folder, {"train": max(8, batch_size)})
    make_tiny_llm(folder / "llm", [folder / "train_caption.json"], TinyLLMSettings(hidden=128, layers=4, kv_heads=4))
    cfg = Config.fromfile(CONFIG)
    for step in cfg.train_dataloader.dataset.pipeline:
        if step.type == "TokenizeConversation":
            step.path = str(folder / "llm")
    cfg.merge_from_dict(
        {
            "model.llm.path": str(folder / "llm"),
            "train_dataloader.dataset.ann_file": str(folder / "train_caption.json"),
            "train_dataloader.dataset.data_root": str(folder),
            "train_dataloader.batch_size": batch_size,
            "train_dataloader.num_workers": 0,
            "train_dataloader.persistent_workers": False,
            "train_cfg.type": "PairedLoop",
            "train_cfg.max_iters": steps,
            "custom_hooks": [],
            "work_dir": str(folder / "work_dir"),
            "load_from": None,
            "experiment_name": f"bench_{time.time_ns()}",
        }
    )
    return cfg
