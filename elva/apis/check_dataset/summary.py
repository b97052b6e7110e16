"""The findings as numbers and tables."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from .findings import Findings
from .problem import ERRORS, WARNINGS

COUNTS = {
    "length": "rows that enter the language model",
    "visual": "visual tokens among them",
    "text": "text tokens among them",
    "answer": "answer tokens",
    "frames": "frames",
}
"""Arrays of :class:`Findings`, in words."""

SHOWN = 20
"""Problems on the console."""


def summary(findings: Findings) -> dict[str, Any]:
    """Everything that can be said in numbers, for ``summary.json``."""
    table = findings.table
    sizes = Counter(zip(*(table.numbers[name][table.known].tolist() for name in ("width", "height")), strict=True))
    return {
        "samples": len(findings.bad),
        "bad": int(findings.bad.sum()),
        "errors": {kind: n for kind in ERRORS if (n := findings.total(kind))},
        "warnings": {kind: n for kind in WARNINGS if (n := findings.total(kind))},
        "files": {
            "different": len(table),
            "bad": len(table.errors),
            "named": len(table.file),
            "hours": float(table.numbers["duration"][table.known].sum() / 3600),
            "codecs": table.codecs(table.known),
            "sizes": {f"{width}x{height}": count for (width, height), count in sizes.most_common()},
        },
        "seconds": spread(table.numbers["duration"][table.known & (table.numbers["fps"] > 0)]),
        **{name: spread(known(findings, name)) for name in COUNTS},
        "sources": [_source(findings, number) for number in range(len(table.sources))],
        "notes": findings.notes,
    }


def known(findings: Findings, name: str) -> np.ndarray:
    """The numbers of one kind of the samples that can be used."""
    values: np.ndarray = getattr(findings, name)
    return values[~findings.bad & (values >= 0)]


def spread(values: np.ndarray) -> dict[str, float] | None:
    """How numbers are spread; None if there are none."""
    if not len(values):
        return None
    low, median, high, most = (float(np.percentile(values, share)) for share in (5, 50, 95, 99))
    edges = {"min": values.min().item(), "p5": low, "median": median, "mean": float(values.mean())}
    return edges | {"p95": high, "p99": most, "max": values.max().item(), "sum": values.sum().item()}


def _source(findings: Findings, number: int) -> dict[str, Any]:
    source = findings.table.sources[number]
    mine = findings.table.source == number
    counts = {kind: n for (owner, kind), n in findings.counts.items() if owner == number}
    length = findings.length[mine & ~findings.bad & (findings.length >= 0)]
    return {
        "name": source.name,
        "samples": int(mine.sum()),
        "bad": int(findings.bad[mine].sum()),
        "problems": counts,
        "length": spread(length),
    }


def write_skip_list(path: Path, findings: Findings) -> int:
    """Write the samples that cannot be used, a line each, with the first reason; returns how many there are."""
    told: set[tuple[int, int]] = set()
    with path.open("w", encoding="utf-8") as file:
        for found in findings.errors:
            key = (found.source, found.problem.index)
            if key not in told:
                told.add(key)
                dataset = findings.table.sources[found.source].dataset
                record = found.problem.record(dataset.source) | {"index": dataset.row(found.problem.index)}
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return len(told)


def print_summary(numbers: Mapping[str, Any], findings: Findings, console: Console) -> None:
    """Tables for people."""
    console.print(_sources_table(numbers))
    console.print(_spread_table(numbers))
    for title, kinds in (("Errors", ERRORS), ("Warnings", WARNINGS)):
        for kind, count in numbers[title.lower()].items():
            console.print(f"{title[:-1]}: {count:,} x {kind}: {kinds[kind]}", highlight=False, soft_wrap=True)
    shown = findings.problems[:SHOWN]
    for found in shown:
        problem = found.problem
        place = "" if problem.message.startswith(problem.where) else f"{problem.where}: sample '{problem.id}': "
        console.print(f"  {place}{problem.message}", highlight=False, markup=False, soft_wrap=True)
    if len(findings.problems) > len(shown):
        console.print(f"  ... and {len(findings.problems) - len(shown):,} more, in the report", highlight=False)
    for note in findings.notes:
        console.print(f"Note: {note}", highlight=False, markup=False, soft_wrap=True)


def _sources_table(numbers: Mapping[str, Any]) -> Table:
    table = Table("data set", box=SIMPLE_HEAD)
    for title in ("samples", "bad", "warnings", "mean length", "longest"):
        table.add_column(title, justify="right")
    for source in numbers["sources"]:
        warned = sum(n for kind, n in source["problems"].items() if kind in WARNINGS)
        length = source["length"]
        lengths = (f"{length['mean']:,.0f}", f"{length['max']:,}") if length else ("", "")
        table.add_row(source["name"], f"{source['samples']:,}", f"{source['bad']:,}", f"{warned:,}", *lengths)
    return table


def _spread_table(numbers: Mapping[str, Any]) -> Table:
    table = Table("of the samples that can be used", box=SIMPLE_HEAD)
    keys = ("min", "median", "mean", "p95", "max", "sum")
    for key in keys:
        table.add_column(key, justify="right")
    for name, words in (*COUNTS.items(), ("seconds", "seconds of a video file")):
        if values := numbers[name]:
            table.add_row(words, *(f"{values[key]:,.0f}" for key in keys))
    return table
