"""The report as one HTML file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from elva.visualization import Picture, Section, write_page
from elva.visualization import report_html as html
from elva.visualization.dataset_figures import frequent, histograms

from .findings import Findings
from .problem import ERRORS, WARNINGS
from .summary import COUNTS, known

LISTED = 200
"""Problems in the page; all of them are in the skip list."""


def write_report(path: Path, numbers: Mapping[str, Any], findings: Findings, title: str) -> None:
    """Write the page.

    Args:
        path: Where to.
        numbers: Of :func:`~elva.apis.check_dataset.summary.summary`.
        findings: For the histograms and the problems.
        title: Of the page.
    """
    bad, samples = numbers["bad"], numbers["samples"]
    warning = f"{bad:,} of {samples:,} samples cannot be used." if bad else ""
    sections = [_sources(numbers), *_problems(numbers, findings), _lengths(findings), _files(numbers, findings)]
    write_page(path, title, sections, warning)


def _sources(numbers: Mapping[str, Any]) -> Section:
    rows = [["data set", "samples", "bad", "warnings", "mean length", "longest"]]
    for source in numbers["sources"]:
        length = source["length"] or {"mean": 0, "max": 0}
        warned = sum(n for kind, n in source["problems"].items() if kind in WARNINGS)
        counts = (source["samples"], source["bad"], warned, round(length["mean"]), length["max"])
        rows.append([source["name"], *(f"{count:,}" for count in counts)])
    return Section("Data sets", [html.Table(rows), *numbers["notes"]])


def _problems(numbers: Mapping[str, Any], findings: Findings) -> list[Section]:
    if not findings.problems:
        return []
    kinds = {**ERRORS, **WARNINGS}
    counts = {**numbers["errors"], **numbers["warnings"]}
    rows = [["kind", "count", "", "what it means"]]
    rows += [[k, f"{n:,}", "error" if k in ERRORS else "warning", kinds[k]] for k, n in counts.items()]
    listed = [["where", "sample", "kind", "what is wrong"]]
    for found in sorted(findings.problems, key=lambda found: not found.problem.error)[:LISTED]:
        problem = found.problem
        listed.append([problem.where, problem.id, problem.kind, problem.message])
    more = len(findings.problems) - LISTED
    note = [f"{more:,} more are not shown here."] if more > 0 else []
    return [
        Section("Problems", [html.Table(rows, text=True)]),
        Section("Where they are", [html.Table(listed, text=True), *note]),
    ]


def _lengths(findings: Findings) -> Section:
    text = (
        "Of the samples that can be used. The dashed line is the median, the dotted one the 95th percentile. Visual "
        "tokens are those that enter the language model, counted from the videos' metadata."
    )
    figure = histograms({words: known(findings, name) for name, words in COUNTS.items()})
    return Section("Samples", [text, Picture(figure, "Histograms of the samples' lengths")])


def _files(numbers: Mapping[str, Any], findings: Findings) -> Section:
    files, table = numbers["files"], findings.table
    content: list[str | Picture | html.Table] = [
        f"{files['different']:,} different files, named {files['named']:,} times; {files['bad']:,} of them cannot be "
        f"used; {files['hours']:,.1f} hours."
    ]
    if files["codecs"]:
        content.append("Codecs: " + ", ".join(f"{name} {count:,}" for name, count in files["codecs"].items()) + ".")
        moving = table.known & (table.numbers["fps"] > 0)
        values = {
            "duration, seconds": table.numbers["duration"][moving],
            "frames per second": table.numbers["fps"][moving],
            "width, pixels": table.numbers["width"][table.known],
            "height, pixels": table.numbers["height"][table.known],
        }
        content.append(Picture(histograms(values), "Histograms of duration, frame rate, width and height"))
        content.append(Picture(frequent(files["sizes"]), "Most frequent resolutions", "Resolutions, width x height."))
    return Section("Files", content)
