"""What merging itself costs, and how that grows."""

import math
import time
from collections.abc import Sequence
from statistics import fmean, median
from typing import Any, NoReturn

import torch

from elva.models.attention import AttnView
from elva.models.mergers import HierarchicalTemporalMerger, Merger, Site
from elva.structures import SequenceState

from .prefill import run_prefill
from .result import Result
from .sequences import random_decoder, video_sequence


def merging_share(rows: int = 8192, width: int = 512, depth: int = 12, rounds: int = 5) -> list[Result]:
    """The share of prefill time that is spent inside the merger, its folds and input norms included.

    Args:
        rows: Of the sequence.
        width: Of the model.
        depth: Its layers.
        rounds: Prefills that are measured; one more warms up.
    """
    llm, state = random_decoder(width, depth), video_sequence(rows, width)
    merger = HierarchicalTemporalMerger(layers=(max(1, round(depth / 14)), max(2, round(depth / 4.5))))
    inside = _stopwatch(merger)
    shares, totals = [], []
    for _ in range(rounds + 1):
        inside.clear()
        start = time.perf_counter()
        run_prefill(llm, state, merger)
        totals.append(time.perf_counter() - start)
        shares.append(sum(inside) / totals[-1])
    details = {"seconds in all": median(totals[1:]), "seconds merging": median(shares[1:]) * median(totals[1:])}
    return [Result(f"share of merging in a prefill of {rows:,}", median(shares[1:]), 0.05, False, details)]


def merging_growth(
    sizes: Sequence[int] = (8192, 16384, 32768, 65536, 131072), width: int = 512, rounds: int = 5
) -> list[Result]:
    """The exponent of merging time over rows, fitted by least squares: 1 is linear, 2 quadratic.

    The sizes take turns, and the shortest time of each counts: what disturbs a short call adds nothing to it.

    Args:
        sizes: Rows of each sequence, rising.
        width: Of the rows.
        rounds: Calls at each size.
    """
    merger, site = HierarchicalTemporalMerger(layers=(1, 2)), Site(1, "pre_attn")
    states = [video_sequence(size, width) for size in sizes]
    seconds: list[list[float]] = [[] for _ in sizes]
    with torch.no_grad():
        for number in range(rounds + 1):
            for state, times in zip(states, seconds, strict=True):
                view = _view(state)
                start = time.perf_counter()
                merger(state, site, view)
                if number:
                    times.append(time.perf_counter() - start)
    best = [min(times) for times in seconds]
    nanoseconds = [1e9 * t / size for t, size in zip(best, sizes, strict=True)]
    details = {f"ns a row at {size:,}": ns for size, ns in zip(sizes, nanoseconds, strict=True)}
    details["dearest / cheapest row"] = max(nanoseconds) / min(nanoseconds)
    name = f"exponent of merging time, {sizes[0]:,} to {sizes[-1]:,} rows"
    return [Result(name, exponent(sizes, best), 1.15, False, details)]


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The slope of log seconds over log sizes."""
    x, y = [math.log(size) for size in sizes], [math.log(t) for t in seconds]
    mx, my = fmean(x), fmean(y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / sum((a - mx) ** 2 for a in x)


def _stopwatch(merger: Merger) -> list[float]:
    """Seconds of each call of ``merger``, from now on."""
    seconds: list[float] = []

    def begin(*_: Any) -> None:
        seconds.append(-time.perf_counter())

    def end(*_: Any) -> None:
        seconds[-1] += time.perf_counter()

    merger.register_forward_pre_hook(begin)
    merger.register_forward_hook(end)
    return seconds


def _view(state: SequenceState) -> AttnView:
    """A layer whose norm is an RMSNorm without weights."""
    norm = torch.nn.RMSNorm(state.h.shape[-1], elementwise_affine=False)

    def project() -> NoReturn:
        raise NotImplementedError("the merger that is measured asks for no attention")

    return AttnView(norm, project, lambda name, value: None)
