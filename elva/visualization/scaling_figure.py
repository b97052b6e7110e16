"""Accuracy against the share of the pre-training data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from .plots import COLOURS


def draw_scaling(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Draw one line a stage, with the standard error of each accuracy, and save it.

    Args:
        rows: Runs with ``stage``, ``share``, ``accuracy/overall`` and ``n``, the questions asked.
        path: A file that Matplotlib can write; its folder must be there.

    Returns:
        ``path``.
    """
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    ax = figure.subplots()
    for number, stage in enumerate(sorted({str(row["stage"]) for row in rows})):
        own = sorted((r for r in rows if str(r["stage"]) == stage), key=lambda r: float(r["share"]))
        accuracy = [float(row["accuracy/overall"]) for row in own]
        error = [(a * (1 - a) / float(row["n"])) ** 0.5 for a, row in zip(accuracy, own, strict=True)]
        shares = [100 * float(row["share"]) for row in own]
        ax.errorbar(shares, accuracy, error, marker="o", capsize=3, label=f"stage {stage}", color=COLOURS[number])
    ax.set_xscale("log")
    ticks = sorted({100 * float(row["share"]) for row in rows})
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("share of the stage's data, %")
    ax.set_ylabel("accuracy after the last stage")
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    return path
