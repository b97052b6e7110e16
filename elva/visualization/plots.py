"""Charts of a training and of a test. Each function returns a Matplotlib figure that belongs to nobody else."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from .training_log import Record, series

COLOURS = ("#2a6fb0", "#e08214", "#9a9a9a", "#35978f", "#8c510a")
"""Of the series of a chart, in order; they differ in lightness too."""


def loss_curves(stages: Mapping[str, Sequence[Record]], losses: Mapping[str, str]) -> Figure:
    """One panel a loss, over the iterations of all stages.

    Args:
        stages: Log records of each stage, by its title, in the order of training.
        losses: Panel title of each logged name.
    """
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    axes = figure.subplots(1, len(losses), squeeze=False)[0]
    for ax, (name, title) in zip(axes, losses.items(), strict=True):
        _loss_panel(ax, stages, name)
        ax.set_title(title, pad=20)
        ax.set_xlabel("iteration")
    axes[0].set_ylabel("loss")
    return figure


def _loss_panel(ax: Axes, stages: Mapping[str, Sequence[Record]], name: str) -> None:
    start = 0.0
    for number, (title, records) in enumerate(stages.items()):
        steps, values = series(records, name)
        end = start + max((record["step"] for record in records), default=0.0)
        colour = COLOURS[number % len(COLOURS)]
        if values:
            ax.plot(start + np.array(steps), values, color=colour, linewidth=1.2)
        else:
            ax.text(
                (start + end) / 2, 0.5, "not used", ha="center", transform=ax.get_xaxis_transform(), color="#777777"
            )
        ax.text((start + end) / 2, 1.02, title, ha="center", transform=ax.get_xaxis_transform(), color=colour)
        if start:
            ax.axvline(start, color="#bbbbbb", linewidth=0.8)
        start = end
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(_PlainLogFormatter())
    ax.yaxis.set_minor_formatter(_PlainLogFormatter(minor_thresholds=(2, 0.4)))
    ax.set_xlim(0, max(start, 1.0))
    _tidy(ax)


def accuracy_bars(
    accuracy: Mapping[str, Mapping[str, float]], chance: Mapping[str, float], count: Mapping[str, int]
) -> Figure:
    """Groups of bars by skill, with the standard error of each and what guessing would score.

    Args:
        accuracy: For each way of testing, accuracy by skill; all have the same skills.
        chance: Accuracy of guessing, by skill; skills that it lacks get no mark.
        count: Questions by skill.
    """
    skills = list(next(iter(accuracy.values())))
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    ax = figure.subplots()
    width = 0.8 / len(accuracy)
    for number, (title, by_skill) in enumerate(accuracy.items()):
        x = np.arange(len(skills)) + (number - (len(accuracy) - 1) / 2) * width
        y = np.array([by_skill[skill] for skill in skills])
        error = [standard_error(by_skill[skill], count[skill]) for skill in skills]
        bars = ax.bar(x, y, 0.92 * width, yerr=error, color=COLOURS[number], label=title, ecolor="#444444")
        ax.bar_label(bars, [f"{value:.2f}" for value in y], padding=2, fontsize=8)
    for place, skill in enumerate(skills):
        if skill in chance:
            label = "chance" if place == 0 else None
            ax.plot([place - 0.43, place + 0.43], [chance[skill]] * 2, "k--", linewidth=1, label=label)
    ax.set_xticks(range(len(skills)), [f"{skill}\n(n = {count[skill]})" for skill in skills])
    ax.set_ylim(0, 1.12)
    ax.set_ylabel("accuracy")
    _tidy(ax)
    figure.legend(loc="outside upper center", ncols=len(accuracy) + 1, frameon=False)
    return figure


def tokens_per_layer(curves: Mapping[str, Sequence[float]]) -> Figure:
    """Rows that enter the attention of each layer.

    Args:
        curves: Mean rows of each layer, by title.
    """
    figure = Figure(figsize=(10, 3), layout="constrained")
    ax = figure.subplots()
    width = 0.8 / len(curves)
    depth = len(next(iter(curves.values())))
    for number, (title, rows) in enumerate(curves.items()):
        x = np.arange(depth) + (number - (len(curves) - 1) / 2) * width
        bars = ax.bar(x, rows, 0.92 * width, color=COLOURS[number], label=title)
        if depth <= 16:
            ax.bar_label(bars, [f"{value:.0f}" for value in rows], padding=2, fontsize=8)
    ax.set_xticks(range(0, depth, max(1, depth // 14)))
    ax.set_xlabel("layer of the language model")
    ax.set_ylabel("tokens")
    ax.margins(y=0.12)
    _tidy(ax)
    figure.legend(loc="outside upper center", ncols=len(curves), frameon=False)
    return figure


class _PlainLogFormatter(LogFormatter):
    """Labels the ticks that Matplotlib's own would, as plain numbers."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def standard_error(share: float, count: int) -> float:
    """Of a share found in ``count`` independent cases: ``sqrt(p (1 - p) / n)``."""
    return float(np.sqrt(share * (1 - share) / count))


def _tidy(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#eeeeee")
    ax.set_axisbelow(True)
