"""Times that survive a busy machine: alternatives take turns, and what is reported is a median."""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any


def interleaved(functions: Mapping[str, Callable[[], Any]], rounds: int, warm_up: int = 1) -> dict[str, list[float]]:
    """Seconds of each call, the functions taking turns, in the other order every other round.

    Args:
        functions: By name.
        rounds: Calls of each that are measured.
        warm_up: Calls of each before that.
    """
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for number in range(-warm_up, rounds):
        order = list(functions) if number % 2 == 0 else list(functions)[::-1]
        for name in order:
            start = time.perf_counter()
            functions[name]()
            if number >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def median_ratio(over: list[float], under: list[float]) -> float:
    """The median of the rounds' ratios: neighbours in time share what else the machine is doing."""
    return median(a / b for a, b in zip(over, under, strict=True))
