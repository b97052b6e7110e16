"""Histograms of the numbers of a data set."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .plots import COLOURS

BINS = 40


def histograms(values: Mapping[str, np.ndarray], columns: int = 2) -> Figure:
    """A panel for each set of numbers; a dashed line is the median, a dotted one the 95th percentile.

    Args:
        values: By what they are, for people. Those without numbers are left out.
        columns: Panels side by side.
    """
    drawn = {title: numbers for title, numbers in values.items() if len(numbers)}
    rows = -(-len(drawn) // columns) or 1
    figure = Figure(figsize=(10, 2.4 * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax, (title, numbers) in zip(axes, drawn.items(), strict=False):
        _histogram(ax, numbers)
        ax.set_title(title, fontsize=10)
    for ax in axes[len(drawn) :]:
        ax.axis("off")
    return figure


def frequent(counts: Mapping[str, int], most: int = 12) -> Figure:
    """Bars of the most frequent of some names, and one of all others.

    Args:
        counts: By name, most frequent first.
        most: Bars of names of their own.
    """
    names, numbers = list(counts)[:most], list(counts.values())
    shown = numbers[:most]
    if len(counts) > most:
        names.append(f"{len(counts) - most} others")
        shown.append(sum(numbers[most:]))
    figure = Figure(figsize=(10, 0.6 + 0.24 * len(names)), layout="constrained")
    ax = figure.subplots()
    bars = ax.barh(names, shown, color=COLOURS[0])
    ax.bar_label(bars, [f"{number:,}" for number in shown], padding=3, fontsize=8)
    ax.invert_yaxis()
    ax.tick_params(labelsize=8)
    ax.margins(x=0.1)
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def _histogram(ax: Axes, numbers: np.ndarray) -> None:
    low, high = float(numbers.min()), float(numbers.max())
    if np.issubdtype(numbers.dtype, np.integer):  # bars of equal numbers of whole numbers: no comb of rounding
        step = max(1, -int(-(high - low + 1) // BINS))
        edges = np.arange(low, high + step + 1, step) - 0.5
    else:
        edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    ax.hist(numbers, edges.tolist(), color=COLOURS[0])
    for value, style in zip(np.percentile(numbers, (50, 95)), ("--", ":"), strict=True):
        ax.axvline(float(value), color="#333333", linestyle=style, linewidth=1)
    ax.tick_params(labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)
