"""The numbers of a training run: rows, FLOPs and bytes, from a config alone."""

import itertools
import statistics
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from elva.registry import MODELS
from elva.utils import flops as cost
from elva.utils import memory_estimate as memory

from .missing import Devices, devices_of
from .rows import rows_per_layer
from .survey import SampleShape, Source, survey

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
        self.model = _build(cfg)
        self.llm: Any = self.model.llm
        self.sources: list[Source] = survey(cfg.train_dataloader.dataset)
        self.test: list[Source] = survey(cfg.test_dataloader.dataset, limit=8) if cfg.get("test_dataloader") else []
        self.batch: int = cfg.train_dataloader.batch_size
        self.configured_ratio = getattr(self.model.merger, "ratio", None)
        self.ratios = _ratios(cfg, self.configured_ratio)
        self.low = cfg.optim_wrapper.get("type") in MIXED
        self.recomputed = bool(self.llm.gradient_checkpointing)
        self.sharded = "FSDP" in str((cfg.get("strategy") or {}).get("type", ""))
        self._rows: dict[tuple[SampleShape, float | None, bool], list[int]] = {}
        self._tokenizing: dict[tuple[tuple[int, int], ...], float] = {}

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

    def visual(self, shape: SampleShape) -> int:
        """Visual tokens of a sample."""
        return sum(self.model.tokenizer.count(plan) for plan in shape.plans)

    def rows(self, shape: SampleShape, ratio: float | None = None, merged: bool = True) -> list[int]:
        """Rows of a sample that enter each layer.

        Args:
            shape: The sample.
            ratio: The merge ratio. Default: the config's own, or the merger has none.
            merged: False leaves the merger out.
        """
        key = (shape, ratio, merged)
        if key not in self._rows:
            merger = self.model.merger if merged else None
            if merger is not None and self.configured_ratio is not None:
                merger.ratio = self.configured_ratio if ratio is None else ratio
            self._rows[key] = rows_per_layer(merger, self.model.tokenizer, shape.plans, shape.text, self.llm.depth)
        return self._rows[key]

    def mean_rows(self, source: Source, ratio: float | None = None, merged: bool = True) -> list[float]:
        """Rows that enter each layer, mean over the samples of a source."""
        each = [self.rows(shape, ratio, merged) for shape in source.shapes]
        return [statistics.fmean(column) for column in zip(*each, strict=True)]

    def forward_flops(self, shape: SampleShape, rows: Sequence[float]) -> dict[str, float]:
        """FLOPs of the forward pass over one sample, by part, without the teacher's."""
        visual = sum(self._tokenizer_flops(plan) for plan in shape.plans)
        return {"tokenizer": visual, **cost.decoder_flops(self.llm, rows, shape.labelled)}

    def mean_flops(self, merged: bool = True) -> dict[str, float]:
        """FLOPs of the forward pass by part, mean over the sources by share, their samples and the merge ratios."""
        total: dict[str, float] = {}
        ratios = self.ratios if merged else [None]
        for source in self.sources:
            weight = source.share / len(source.shapes) / len(ratios)
            for shape, ratio in itertools.product(source.shapes, ratios):
                for part, flops in self.forward_flops(shape, self.rows(shape, ratio, merged)).items():
                    total[part] = total.get(part, 0.0) + weight * flops
        return total

    def teacher_flops(self) -> float:
        """FLOPs of the teacher's features of one sample, mean over the sources."""
        if self.model.teacher is None:
            return 0.0
        frames = sum(source.share * source.mean("frames") for source in self.sources)
        return frames * cost.teacher_flops(self.model.teacher, 1)

    def step_flops(self, forward: dict[str, float]) -> dict[str, float]:
        """FLOPs of a training step on one device, whose samples each need ``forward``."""
        frozen = [] if any(p.requires_grad for p in self.llm.parameters()) else ["attention", "mlp", "head"]
        step = cost.training_flops(forward, self.recomputed, frozen)
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

    def _tokenizer_flops(self, plan: Any) -> float:
        if plan.sizes not in self._tokenizing:
            self._tokenizing[plan.sizes] = cost.tokenizer_flops(self.model.tokenizer, plan)
        return self._tokenizing[plan.sizes]


def _build(cfg: Config) -> Any:
    """The model on the meta device; of a language model that is there its own shape counts, not the config's."""
    model = cfg.model.copy()
    path = model.get("llm", {}).get("path")
    if path and (Path(path) / "config.json").is_file():
        model["llm"] = {key: value for key, value in model["llm"].items() if key != "config"}
    with torch.device("meta"):
        return MODELS.build(model)


def _ratios(cfg: Config, configured: float | None) -> list[float | None]:
    """The merge ratios that training draws from; the config's own without ``RandomMergeRatioHook``."""
    for hook in [*(cfg.get("custom_hooks") or ()), *(cfg.get("default_hooks") or {}).values()]:
        if hook and hook.get("type") == "RandomMergeRatioHook":
            return list(hook.get("choices", (0.0, 0.25, 0.5)))
    return [configured]
