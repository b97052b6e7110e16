"""The cost of one sample through the model of any config, by part; nothing is read and no weight is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from elva.registry import MODELS
from elva.structures import FramePlan
from elva.utils.flops import decoder_flops, tokenizer_flops

from .rows import RowCounter
from .sample import SampleShape


@dataclass(frozen=True)
class SampleCost:
    """Of the forward pass over one sample, a prefill if one row is given to the head.

    Attributes:
        tokens: Visual tokens that the tokenizer makes.
        reduced: Those that the reducers leave.
        rows: Rows that enter the attention of each layer, text included.
        flops: Floating-point operations by part: ``'tokenizer'`` (an encoder is a part of it), ``'reducers'`` where
            there are any, ``'attention'``, ``'mlp'``, ``'head'``.
    """

    tokens: int
    reduced: int
    rows: tuple[int, ...]
    flops: dict[str, float]

    @property
    def total(self) -> float:
        """All FLOPs."""
        return sum(self.flops.values())


class CostModel:
    """A config's model on the meta device, and what samples cost in it.

    Matrix products are counted, a multiply-add as two; not those by which a merger compares rows.

    Args:
        cfg: A config with a ``model``.

    Attributes:
        model: The model, on the meta device.
        llm: Its language model.
        counter: Counts rows.
    """

    def __init__(self, cfg: Config) -> None:
        self.model = build_on_meta(cfg)
        self.llm: Any = self.model.llm
        self.counter = RowCounter(cfg.model, self.model.tokenizer, self.llm.depth)
        self._tokenizing: dict[tuple[tuple[int, int], ...], float] = {}
        self._reducing: dict[tuple[Any, ...], float] = {}

    @cached_property
    def merge_ratio(self) -> float | None:
        """The merger's own ``ratio``, if it has one."""
        ratio: float | None = getattr(self.model.merger, "ratio", None)
        return ratio

    def of(
        self, shape: SampleShape, ratio: float | None = None, merged: bool = True, reduced: bool = True
    ) -> SampleCost:
        """The cost of a sample.

        Args:
            shape: The sample.
            ratio: The merge ratio. Default: the config's own, or the merger has none.
            merged: False leaves the merger out.
            reduced: False leaves the reducers out.
        """
        rows = self.counter.count(shape.plans, shape.text, ratio, merged, reduced)
        flops = self.flops(shape, rows.layers, reduced)
        return SampleCost(rows.tokens, rows.reduced, rows.layers, flops)

    def flops(self, shape: SampleShape, rows: Sequence[float], reduced: bool = True) -> dict[str, float]:
        """FLOPs by part where the rows of each layer are known (``stats['tokens_per_layer']`` of an answer)."""
        parts = {"tokenizer": sum(self._tokenizer_flops(plan) for plan in shape.plans)}
        if reduced and len(self.model.reducers):
            parts["reducers"] = self._reducer_flops(shape)
        return parts | decoder_flops(self.llm, rows, shape.labelled)

    def _tokenizer_flops(self, plan: FramePlan) -> float:
        if plan.sizes not in self._tokenizing:
            self._tokenizing[plan.sizes] = tokenizer_flops(self.model.tokenizer, plan, self.model.signals)
        return self._tokenizing[plan.sizes]

    def _reducer_flops(self, shape: SampleShape) -> float:
        key = (*(plan.sizes for plan in shape.plans), shape.text)
        if key not in self._reducing:
            self._reducing[key] = self.counter.reducer_flops(shape.plans, shape.text, self.llm.hidden_size)
        return self._reducing[key]


def build_on_meta(cfg: Config) -> Any:
    """The model on the meta device; of a language model that is there its own shape counts, not the config's."""
    model = cfg.model.copy()
    path = model.get("llm", {}).get("path")
    if path and (Path(path) / "config.json").is_file():
        model["llm"] = {key: value for key, value in model["llm"].items() if key != "config"}
    with torch.device("meta"):
        return MODELS.build(model)
