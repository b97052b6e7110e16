"""The numbers of a training run: rows, FLOPs and bytes, from a config alone."""

import itertools
import statistics
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from elva.apis.cost import CostModel, SampleShape
from elva.apis.cost.rows import Rows
from elva.apis.cost.survey import Source, survey
from elva.utils import memory_estimate as memory
from elva.utils.flops import teacher_flops, training_flops

from .missing import Devices, devices_of

MIXED = ("AmpOptimWrapper", "MixedPrecisionOptimWrapper")


class RunPlan:
    """A config's model on the meta device, what its data looks like, and what follows from the two.

    Args:
        cfg: A config of a training run.

    Attributes:
        sources: The data sets of training.
        test: Those of testing; empty without a ``test_dataloader``.
        batch: Samples a step on each device.
        ratios: Merge ratios that a training step may have; the config's own unless a hook draws them.
        low: Whether matrix products are in a 16-bit type.
        recomputed: Whether gradient checkpointing is on.
        sharded: Whether weights are divided over the devices.
    """

    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg
        self.cost = CostModel(cfg)
        self.model: Any = self.cost.model
        self.llm = self.cost.llm
        self.sources: list[Source] = survey(cfg.train_dataloader.dataset)
        self.test: list[Source] = survey(cfg.test_dataloader.dataset, limit=8) if cfg.get("test_dataloader") else []
        self.batch: int = cfg.train_dataloader.batch_size
        self.ratios = _ratios(cfg, self.cost.merge_ratio)
        self.low = cfg.optim_wrapper.get("type") in MIXED
        self.recomputed = bool(self.llm.gradient_checkpointing)
        self.sharded = "FSDP" in str((cfg.get("strategy") or {}).get("type", ""))
        self._rows: dict[tuple[SampleShape, float | None, bool], Rows] = {}

    @cached_property
    def devices(self) -> Devices:
        """What the config is to run on."""
        filename = self.cfg.filename
        return devices_of(Path(filename).read_text(encoding="utf-8") if filename else "")

    @property
    def teacher_weights(self) -> nn.Module | None:
        """A teacher's transformer, which is no submodule of it; else the teacher itself."""
        teacher = self.model.teacher
        return getattr(teacher, "model", teacher)

    def counted(self, shape: SampleShape, ratio: float | None = None, merged: bool = True) -> Rows:
        """Tokens of a sample, and its rows by layer.

        Args:
            shape: The sample.
            ratio: The merge ratio. Default: the config's own, or the merger has none.
            merged: False leaves the merger out.
        """
        key = (shape, ratio, merged)
        if key not in self._rows:
            self._rows[key] = self.cost.counter.count(shape.plans, shape.text, ratio, merged)
        return self._rows[key]

    def rows(self, shape: SampleShape, ratio: float | None = None, merged: bool = True) -> tuple[int, ...]:
        """Rows of a sample that enter each layer."""
        return self.counted(shape, ratio, merged).layers

    def mean_rows(self, source: Source, ratio: float | None = None, merged: bool = True) -> list[float]:
        """Rows that enter each layer, mean over the samples of a source."""
        each = [self.rows(shape, ratio, merged) for shape in source.shapes]
        return [statistics.fmean(column) for column in zip(*each, strict=True)]

    def mean_flops(self, merged: bool = True) -> dict[str, float]:
        """FLOPs of the forward pass by part, mean over the sources by share, their samples and the merge ratios."""
        total: dict[str, float] = {}
        ratios = self.ratios if merged else [None]
        for source in self.sources:
            weight = source.share / len(source.shapes) / len(ratios)
            for shape, ratio in itertools.product(source.shapes, ratios):
                for part, flops in self.cost.flops(shape, self.rows(shape, ratio, merged)).items():
                    total[part] = total.get(part, 0.0) + weight * flops
        return total

    def teacher_flops(self) -> float:
        """FLOPs of the teacher's features of one sample, mean over the sources."""
        if self.model.teacher is None:
            return 0.0
        frames = sum(source.share * source.mean("frames") for source in self.sources)
        return frames * teacher_flops(self.model.teacher, 1)

    def step_flops(self, forward: dict[str, float]) -> dict[str, float]:
        """FLOPs of a training step on one device, whose samples each need ``forward``."""
        frozen = [] if any(p.requires_grad for p in self.llm.parameters()) else ["attention", "mlp", "head"]
        step = training_flops(forward, self.recomputed, frozen)
        return {part: self.batch * flops for part, flops in step.items()}

    def memory(self, shards: int) -> dict[str, float]:
        """Bytes on one of ``shards`` devices, for a batch whose samples are as long as the longest looked at."""
        least = min((ratio for ratio in self.ratios if ratio is not None), default=None)
        shapes = [shape for source in self.sources for shape in source.shapes]
        longest = max((self.rows(shape, least) for shape in shapes), key=sum)
        learned = self.batch * max(source.mean("labelled") for source in self.sources)
        moments = 2 if "Adam" in str(self.cfg.optim_wrapper.optimizer.type) else 1
        units = [part for layer in self.llm.layers for part in (layer.self_attn, layer.mlp)]  # those of FSDP2Strategy
        stored = self.llm.model.dtype.itemsize
        element = 2 if self.low else stored
        parts = memory.state_bytes(self.model, moments, self.low, shards, units)
        parts["activations"] = memory.activation_bytes(
            self.llm,
            [self.batch * rows for rows in longest],
            self.recomputed,
            residual=element if shards > 1 else stored,  # divided weights are collected in the type to compute in
            element=element,
        )
        parts["logits"] = memory.logit_bytes(self.llm, learned, element)
        teacher = self.teacher_weights
        parts["teacher"] = sum(p.numel() * p.element_size() for p in teacher.parameters()) if teacher else 0.0
        return parts


def _ratios(cfg: Config, configured: float | None) -> list[float | None]:
    """The merge ratios that training draws from; the config's own without ``RandomMergeRatioHook``."""
    for hook in [*(cfg.get("custom_hooks") or ()), *(cfg.get("default_hooks") or {}).values()]:
        if hook and hook.get("type") == "RandomMergeRatioHook":
            return list(hook.get("choices", (0.0, 0.25, 0.5)))
    return [configured]
