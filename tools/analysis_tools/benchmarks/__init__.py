"""What ``make bench`` measures, each against its target."""

from collections.abc import Callable

from .annotations import annotations
from .check_rate import check_rate
from .decode import decode
from .frame_cache import frame_cache
from .input_pipeline import input_pipeline
from .matching import matching
from .merging import merging_growth, merging_share
from .onevision import against_onevision
from .prefill import prefill
from .result import Result
from .train_step import train_step
from .workers import workers

BENCHMARKS: dict[str, Callable[[], list[Result]]] = {
    "prefill": prefill,
    "decode": decode,
    "merging-share": merging_share,
    "merging-growth": merging_growth,
    "matching": matching,
    "input-pipeline": input_pipeline,
    "workers": workers,
    "annotations": annotations,
    "check-dataset": check_rate,
    "frame-cache": frame_cache,
    "train-step": train_step,
    "against-onevision": against_onevision,
}
"""By the name that ``--only`` takes."""

__all__ = [
    "BENCHMARKS",
    "Result",
    "annotations",
    "check_rate",
    "decode",
    "frame_cache",
    "input_pipeline",
    "matching",
    "merging_growth",
    "merging_share",
    "prefill",
    "train_step",
    "workers",
]
