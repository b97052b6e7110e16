"""Scores of a needle-in-a-haystack test by length and depth. Legend: D depths, L lengths."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from elva.datasets.benchmarks import Row

Record = Mapping[str, Any]
"""A line of ``predictions.jsonl``, with the groups ``length`` and ``depth``."""


@dataclass(frozen=True)
class NeedleMap:
    """Mean scores.

    Attributes:
        depths: D shares of the video before the needle, rising.
        lengths: L numbers of frames, rising.
        score_DL: Of the questions of each cell; NaN where there is none.
        count_DL: How many these are.
    """

    depths: tuple[float, ...]
    lengths: tuple[int, ...]
    score_DL: np.ndarray
    count_DL: np.ndarray


def needle_map(records: Sequence[Record]) -> NeedleMap:
    """Sum up the records of a test.

    Raises:
        ValueError: If one has no such groups, or none has a score.
    """
    scored = [record for record in records if record.get("score") is not None]
    if not scored:
        raise ValueError("There is no record with a score: nothing can be drawn")
    cells: dict[tuple[float, int], list[float]] = {}
    for record in scored:
        groups = record["groups"]
        if not {"depth", "length"} <= groups.keys():
            raise ValueError(f"record '{record['id']}' has no groups 'depth' and 'length': it is not of VideoNeedle")
        cells.setdefault((float(groups["depth"]), int(groups["length"])), []).append(record["score"])
    depths, lengths = (tuple(sorted(set(values))) for values in zip(*cells, strict=True))
    score_DL = np.full((len(depths), len(lengths)), np.nan)
    count_DL = np.zeros(score_DL.shape, dtype=int)
    for (depth, length), scores in cells.items():
        place = depths.index(depth), lengths.index(length)
        score_DL[place], count_DL[place] = float(np.mean(scores)), len(scores)
    return NeedleMap(depths, lengths, score_DL, count_DL)


def needle_table(found: NeedleMap) -> list[list[str]]:
    """A row a depth and a column a length, the header first; the last row is of all depths."""
    header = ["depth", *(f"{length} frames" for length in found.lengths)]
    rows = [[f"{depth:.0%}", *map(_cell, scores)] for depth, scores in zip(found.depths, found.score_DL, strict=True)]
    weights_DL = found.count_DL
    means_L = (np.nan_to_num(found.score_DL) * weights_DL).sum(0) / weights_DL.sum(0)
    return [header, *rows, ["all", *map(_cell, means_L)]]


def draw_needle_map(found: NeedleMap, title: str = "") -> Figure:
    """A square a cell, coloured and labelled by its score; cells without questions stay blank.

    Args:
        found: The scores.
        title: Default: none.
    """
    depths, lengths = len(found.depths), len(found.lengths)
    figure = Figure(figsize=(2.2 + 0.75 * lengths, 1.6 + 0.5 * depths), layout="constrained")
    ax = figure.subplots()
    image = ax.imshow(found.score_DL, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), score in np.ndenumerate(found.score_DL):
        if not np.isnan(score):
            colour = "white" if score > 0.6 else "black"
            ax.text(column, row, f"{score:.2f}", ha="center", va="center", fontsize=8, color=colour)
    ax.set_xticks(range(lengths), [str(length) for length in found.lengths])
    ax.set_yticks(range(depths), [f"{depth:.0%}" for depth in found.depths])
    ax.set_xlabel("length of the video (frames)")
    ax.set_ylabel("depth of the needle")
    figure.colorbar(image, ax=ax, label="score")
    if title:
        figure.suptitle(title)
    return figure


def seen_share(records: Sequence[Record], needles: Iterable[Row]) -> float:
    """Share of the records among whose frames the needle was: what a frame sampler left out cannot be found.

    Args:
        records: With ``question_id`` and ``frames``.
        needles: Rows of ``needles.json``.

    Raises:
        ValueError: If there is no needle for a record, or a row does not say when it is shown.
    """
    spans = {row.text("id"): (row.number("second"), row.number("seconds")) for row in needles}
    seen = 0
    for record in records:
        if record["question_id"] not in spans:
            raise ValueError(f"needles.json has no '{record['question_id']}': it is not what these records are of")
        start, length = spans[record["question_id"]]
        seen += any(-1e-3 <= second - start < length - 1e-3 for plan in record["frames"] for second in plan["seconds"])
    return seen / len(records)


def _cell(score: float) -> str:
    return "" if np.isnan(score) else f"{score:.3f}"
