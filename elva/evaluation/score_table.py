"""Scores as a person reads them on a console."""

from collections.abc import Mapping

from elva.utils.report_text import with_notes

from .metrics import AnswerMetric
from .metrics.base import divide
from .records import Record

_TOLD = ("stderr/", "ci95_low/", "ci95_high/", "chance/")
"""What stands in the table or is left to the log."""


def score_table(metric: AnswerMetric, metrics: Mapping[str, float]) -> str:
    """The score overall and by group, beside what guessing would give, with what limits it.

    Args:
        metric: After the evaluation.
        metrics: What it returned.
    """
    prefix = f"{metric.prefix}/" if metric.prefix else ""
    found = {key.removeprefix(prefix): value for key, value in metrics.items()}
    usable = [record for record in metric.records if "error" not in record]
    rows = [["", "questions", metric.name, "chance", "95 % interval"]]
    given = f"{metric.name}/overall" in found
    if given:
        scored = metric.units([record for record in usable if record["score"] is not None])
        for (division, group), members in divide(scored).items():
            rows.append([f"{division}: {group}", *_cells(metric.name, f"{division}/{group}", members, found), ""])
        interval = f"{found['ci95_low/overall']:.3f} to {found['ci95_high/overall']:.3f}"
        rows.append(["overall", *_cells(metric.name, "overall", scored, found), interval])
    else:
        rows.append(["overall", str(len(usable)), "none", "", ""])
    if not any(row[3] for row in rows[1:]):
        rows = [row[:3] + row[4:] for row in rows]
    return with_notes(rows, _notes(metric, found, usable, given))


def _cells(name: str, group: str, members: list[Record], found: Mapping[str, float]) -> list[str]:
    """Number of questions, score and chance of a group."""
    values = (found.get(f"{what}/{group}") for what in (name, "chance"))
    return [str(len(members)), *("" if value is None else f"{value:.3f}" for value in values)]


def _notes(metric: AnswerMetric, found: Mapping[str, float], usable: list[Record], given: bool) -> list[str]:
    others = {key: value for key, value in found.items() if key.endswith("/overall") and not key.startswith(_TOLD)}
    notes = [f"{key.removesuffix('/overall')}: {value:.3f}." for key, value in others.items() if metric.name not in key]
    lost = len(metric.records) - len(usable)
    if lost:
        rest = (
            "the score is of the rest" if given else "no score is given of a part, unless --allow-missing asks for it"
        )
        share = f"{lost} of {len(metric.records)} questions have no video that can be used"
        notes.append(f"{share} (coverage {found['coverage']:.2%}): {rest}.")
    if found["unparsable"]:
        notes.append(f"Answers that cannot be parsed, and count as wrong: {found['unparsable']:.0f}.")
    if found["unlabelled"]:
        notes.append(f"Answers without a published reference, not scored: {found['unlabelled']:.0f}.")
    return notes
