"""How large a sample is, and how a config would sample a clip."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from elva.datasets.mixture_file import expand_mixture
from elva.structures import FramePlan, VideoMeta

NOMINAL_CLIP = VideoMeta(path="", duration=60.0, fps=30.0, height=360, width=640)
"""Stands for the clips of a data set that is not there, or shows no metadata."""

_LOADERS = ("test_dataloader", "val_dataloader", "train_dataloader")


@dataclass(frozen=True)
class SampleShape:
    """How large one sample is.

    Attributes:
        plans: The frames of each of its videos.
        text: Its text ids, one for each video among them.
        labelled: How many of them are learned; 1 for an answer that is yet to come.
    """

    plans: tuple[FramePlan, ...]
    text: int
    labelled: int = 1


def plan_of(load: Any, meta: VideoMeta) -> FramePlan:
    """The plan that a built ``LoadVideo`` makes for a clip; nothing is read."""
    plan: FramePlan = load.resolution.assign(load.sampler.plan(meta, None), meta)
    return plan


def load_video(cfg: Config) -> dict[str, Any]:
    """The config of ``LoadVideo`` that ``cfg`` tests with (or else validates, or trains with); of a mixture the last.

    A change to what is returned changes ``cfg``.

    Raises:
        ValueError: If no data loader has one.
    """
    for name in _LOADERS:
        parts = leaves((cfg.get(name) or {}).get("dataset") or {})
        steps = [step for part, _ in parts for step in part.get("pipeline", ())]
        found = [step for step in steps if step["type"] == "LoadVideo"]
        if found:
            return found[-1]
    raise ValueError(f"{cfg.filename or 'The config'} loads no video: none of {', '.join(_LOADERS)} has a LoadVideo.")


def leaves(dataset: dict[str, Any], weight: float | None = None) -> Iterator[tuple[dict[str, Any], float | None]]:
    """The data sets that read annotations, through mixtures and wrappers, each with its weight."""
    dataset = expand_mixture(dataset)
    if "datasets" in dataset:
        parts = dataset["datasets"]
        for entry in parts.values() if isinstance(parts, dict) else parts:
            yield from leaves(entry.get("dataset", entry), entry.get("weight"))
    elif "dataset" in dataset:
        yield from leaves(dataset["dataset"], weight)
    else:
        yield dataset, weight
