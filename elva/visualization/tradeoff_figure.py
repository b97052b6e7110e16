"""Accuracy against speed-up, and the runs that no other beats on both."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .plots import COLOURS

Run = Mapping[str, str]

MARKERS = "os^Dv"
"""Another one each time that the colours begin again."""


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Numbers of the points (cost, value) that no other point beats, by rising cost.

    A point is beaten by one that costs no more and is worth no less, and is better in one of the two.
    """
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1]))
    front: list[int] = []
    for index in order:
        if not front or points[index][1] > points[front[-1]][1]:
            front.append(index)
    return front


def draw_tradeoff(rows: Sequence[Run], path: Path, title: str = "") -> Path:
    """Draw accuracy over the speed-up in FLOPs and in time to first token, a line a series, and save it.

    A speed-up is that over the most expensive run without a merger (or over the most expensive run, without one).

    Args:
        rows: Runs with ``checkpoint``, ``merger``, ``frames``, ``size``, ``ratio``, ``accuracy/overall``, ``n``,
            ``flops`` and ``ttft_ms``.
        path: A file that Matplotlib can write.
        title: Default: none.

    Returns:
        ``path``.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for ax, cost, label in ((left, "flops", "FLOPs"), (right, "ttft_ms", "time to first token")):
        _panel(ax, rows, cost)
        ax.set_xlabel(f"speed-up, {label}")
    left.set_ylabel("accuracy")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8)
    if title:
        figure.suptitle(title)
    figure.savefig(path, dpi=150)
    return path


def _panel(ax: Axes, rows: Sequence[Run], cost: str) -> None:
    plain = [float(row[cost]) for row in rows if row["merger"] == "NoMerge"]
    reference = max(plain or [float(row[cost]) for row in rows])
    points = [(float(row[cost]), float(row["accuracy/overall"])) for row in rows]
    front = pareto_front(points)
    ax.plot(
        [reference / points[i][0] for i in front],
        [points[i][1] for i in front],
        color="#cccccc",
        linewidth=5,
        zorder=0,
        label="Pareto front",
    )
    for number, (label, own) in enumerate(_series(rows).items()):
        accuracy = [float(row["accuracy/overall"]) for row in own]
        error = [(a * (1 - a) / float(row["n"])) ** 0.5 for a, row in zip(accuracy, own, strict=True)]
        speed = [reference / float(row[cost]) for row in own]
        colour = COLOURS[number % len(COLOURS)]
        ax.errorbar(speed, accuracy, error, marker="o", markersize=4, linewidth=1, capsize=2, label=label, color=colour)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("{x:g}")
    ax.tick_params(axis="x", which="both", labelsize=7)
    ax.spines[["top", "right"]].set_visible(False)


def _series(rows: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs that differ in their ratio alone, by name; the run without a merger belongs to every merger's."""
    keys = ("checkpoint", "merger", "frames", "size")
    varied = [key for key in keys if len({row[key] for row in rows if row["merger"] != "NoMerge"}) > 1]
    series: dict[str, list[Run]] = {}
    for row in rows:
        if row["merger"] != "NoMerge":
            name = ", ".join(row[key] for key in varied if row[key]) or row["merger"]
            series.setdefault(name, []).append(row)
    for own in series.values():
        own += [
            r
            for r in rows
            if r["merger"] == "NoMerge" and all(r[key] == own[0][key] for key in keys if key != "merger")
        ]
        own.sort(key=lambda row: float(row["ratio"]))
    return series or {"no merger": list(rows)}
