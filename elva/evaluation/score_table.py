"""Scores as a person reads them on a console."""

from collections.abc import Mapping

from elva.utils.report_text import with_notes

from .metrics import AnswerMetric, Unscored
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
    own = {key.removeprefix(prefix): value for key, value in metrics.items() if key.startswith(prefix)}
    found = {key: value for key, value in own.items() if not key.endswith("/overall") or key.count("/") == 1}
    usable = [record for record in metric.records if "error" not in record]
    rows = [[metric.prefix or "", "questions", metric.name, "chance", "95 % interval"]]
    given = f"{metric.name}/overall" in found
    if given:
        scored = metric.units([record for record in usable if record["score"] is not None])
        for (division, group), members in divide(scored).items():
            rows.append([f"{division}: {group}", *_cells(metric.name, f"{division}/{group}", members, found), ""])
        interval = f"{found['ci95_low/overall']:.3f} to {found['ci95_high/overall']:.3f}"
        rows.append(["overall", *_cells(metric.name, "overall", scored, found), interval])
    else:
        rows.append(["overall", str(len(usable)), "none", "", ""])
    if isinstance(metric, Unscored):
        rows = [[metric.prefix or "", "answers"], ["overall", str(len(usable))]]
    elif not any(row[3] for row in rows[1:]):
        rows = [row[:3] + row[4:] for row in rows]
    return with_notes(rows, _notes(metric, found, usable, given))


def _cells(name: str, group: str, members: list[Record], found: Mapping[str, float]) -> list[str]:
    """Number of questions, score and chance of a group."""
    values = (found.get(f"{what}/{group}") for what in (name, "chance"))
    return [str(len(members)), *("" if value is None else f"{value:.3f}" for value in values)]


def _notes(metric: AnswerMetric, found: Mapping[str, float], usable: list[Record], given: bool) -> list[str]:
    told = (*_TOLD, f"{metric.name}/")
    others = {key: value for key, value in found.items() if key.endswith("/overall") and not key.startswith(told)}
    notes = [f"{key.removesuffix('/overall')}: {value:.3f}." for key, value in others.items()]
    lost = len(metric.records) - len(usable)
    if lost:
        share = f"{lost} of {len(metric.records)} questions have files that cannot be used"
        notes.append(f"{share} (coverage {found['coverage']:.2%}): {_of_the_rest(metric, given)}.")
    if isinstance(metric, Unscored):
        return [*notes, f"Nothing is scored: that takes a judge. Empty answers: {found['unparsable']:.0f}."]
    if found["unparsable"]:
        wrong = sum(record["parsed"] is None and record["score"] is not None for record in usable)
        notes.append(f"Answers that cannot be parsed: {found['unparsable']:.0f}; {wrong} of them count as wrong.")
    if found["unlabelled"]:
        notes.append(f"Answers without a published reference, not scored: {found['unlabelled']:.0f}.")
    return notes


def _of_the_rest(metric: AnswerMetric, given: bool) -> str:
    if given:
        return "the score is of the rest"
    if metric.allow_missing:
        return "of the rest no reference is known"
    return "no score is given of a part, unless --allow-missing asks for it"
