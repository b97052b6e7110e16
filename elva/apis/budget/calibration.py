"""What a machine makes of FLOPs: a small table of measured prefills, kept in a JSON file.

Measured, for a batch of one: from normalised pixels on the device to the logits of the first token of the answer, that
is tokenizer, reducers, every layer of the language model with its merger, and the head. Not measured: reading and
decoding the video, the text tokenizer, and the tokens of the answer after the first.
"""

import hashlib
import json
import platform
import statistics
import time
from bisect import bisect_left
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device

from elva.apis.cost import CostModel, SampleShape
from elva.apis.cost.sample import NOMINAL_CLIP, load_video, plan_of
from elva.engine.optimizers.mixed_precision import autocast_dtype
from elva.models.llms import Trace
from elva.registry import MODELS, TRANSFORMS
from elva.structures import Clip, FramePlan
from elva.utils.cache_folder import cache_folder
from elva.utils.text_tokenizer import VIDEO_PAD

from .levels import own_resolution, turned

ALLOWANCE = 1.05
"""Times the measured time is what is promised: machines waver."""

REPEATS = 5
FRAMES = (1, 4, 8, 16, 32, 64)
"""Units of the measured prefills."""

TEXT = 32


@dataclass(frozen=True)
class Calibration:
    """A table of times.

    Attributes:
        points: Pairs (FLOPs, milliseconds), FLOPs rising.
    """

    points: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, cfg: Config, file: str | Path | None = None) -> "Calibration":
        """That of a config's model on this machine: read, or measured once and written.

        Args:
            cfg: The config; its weights must be there if it must be measured.
            file: JSON. Default: ``elva/calibration.json`` in the user's cache folder.

        Raises:
            ValueError: If the file is no such table, or it must be measured while several processes start.
        """
        path = Path(file) if file is not None else cache_folder() / "calibration.json"
        known = _read(path) if path.is_file() else {}
        key = key_of(cfg)
        if key not in known:
            if cfg.get("launcher", "none") != "none":
                raise ValueError(
                    f"{path} has no times of this model on this machine: run the same command once in a single process "
                    "(--launcher none), which measures them."
                )
            known[key] = {"machine": machine(), "measured": "FLOPs, milliseconds", "points": measure_prefills(cfg)}
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        return cls(tuple((float(flops), float(ms)) for flops, ms in known[key]["points"]))

    def milliseconds(self, flops: float) -> float:
        """The time that a prefill of so many FLOPs takes, with ``ALLOWANCE``.

        Straight lines between the points, of which a later one is never below an earlier; proportional beyond the last.
        """
        x = [flops for flops, _ in self.points]
        y = list(accumulate((ms for _, ms in self.points), max))
        at = bisect_left(x, flops)
        if at == 0:
            return ALLOWANCE * y[0]
        if at == len(x):
            return ALLOWANCE * y[-1] * flops / x[-1]
        share = (flops - x[at - 1]) / (x[at] - x[at - 1])
        return ALLOWANCE * (y[at - 1] + share * (y[at] - y[at - 1]))


def _read(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        known = None
    if not isinstance(known, dict) or not all(isinstance(v, dict) and "points" in v for v in known.values()):
        raise ValueError(f"{path} is no table of measured times. Name another file, or remove it: it is made anew.")
    return known


def machine() -> str:
    """What the times depend on beside the model."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or platform.machine()
    return f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def key_of(cfg: Config) -> str:
    """A name for a config's model on this machine; the merge ratio has no part in it."""
    model = cfg.model.to_dict()
    model["merger"] = {k: v for k, v in (model.get("merger") or {}).items() if k != "ratio"}
    precision = cfg.get("optim_wrapper") or {}
    said = json.dumps([model, precision.get("type"), precision.get("dtype"), machine()], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


@torch.no_grad()
def measure_prefills(cfg: Config) -> list[tuple[float, float]]:
    """Pairs (FLOPs, milliseconds) of prefills of several lengths, merged as the config says; FLOPs rising."""
    cost, device = CostModel(cfg), get_device()
    model: Any = MODELS.build(cfg.model).to(device).eval()
    load, tubelet = load_video(cfg), model.tokenizer.tubelet
    points = []
    for units in FRAMES:
        built = TRANSFORMS.build(turned(load, units * tubelet, own_resolution(load), tubelet))
        plan = plan_of(built, NOMINAL_CLIP)
        inputs = _inputs(model, plan, device)
        with _precision(cfg, device):
            rows = _prefill(model, inputs)
            spent = _milliseconds(_prefill, model, inputs)
        points.append((sum(cost.flops(SampleShape((plan,), TEXT), rows).values()), spent))
    return sorted(points)


def _prefill(model: Any, inputs: dict[str, Any]) -> list[float]:
    """Run one; returns the rows of each layer."""
    trace = Trace()
    state = model.llm(model.assemble(inputs)[0].state, model.merger, trace=trace)
    model.llm.logits(state.h[:, -1])
    return trace.tokens_per_layer()


def _inputs(model: Any, plan: FramePlan, device: str) -> dict[str, Any]:
    """A clip of noise and a few words."""
    random = torch.Generator().manual_seed(0)
    sizes = plan.groups().items()
    pixels = tuple(torch.randn(len(at), 3, *size, generator=random).to(device) for size, at in sizes)
    ids = torch.ones(1, TEXT, dtype=torch.long, device=device)
    ids[0, 0] = model.text_tokenizer.convert_tokens_to_ids(VIDEO_PAD)
    return {"clips": [Clip(plan, pixels)], "ids": ids, "valid": torch.ones_like(ids, dtype=torch.bool)}


def _milliseconds(function: Callable[..., object], *args: Any) -> float:
    """Median of ``REPEATS`` calls."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function(*args)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def _precision(cfg: Config, device: str) -> AbstractContextManager[Any]:
    """That of testing, see ``EvaluationPrecisionHook``."""
    wrapper = cfg.get("optim_wrapper") or {}
    if wrapper.get("type") != "MixedPrecisionOptimWrapper":
        return nullcontext()
    return torch.autocast(device, autocast_dtype(wrapper.get("dtype", "bfloat16"), device))
