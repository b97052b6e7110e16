"""Scores as a person reads them on a console."""

from elva.utils.report_text import with_notes

from .metrics import AnswerMetric
from .metrics.base import divide
from .records import Record


def score_table(metric: AnswerMetric, metrics: dict[str, float]) -> str:
    """The score overall and by group, with what limits it.

    Args:
        metric: After the evaluation.
        metrics: What it returned.
    """
    prefix = f"{metric.prefix}/" if metric.prefix else ""
    found = {key.removeprefix(prefix): value for key, value in metrics.items()}
    usable = [record for record in metric.records if "error" not in record]
    rows = [["", "questions", metric.name, "95 % interval"]]
    overall = found.get(f"{metric.name}/overall")
    if overall is not None:
        scored = metric.units([record for record in usable if record["score"] is not None])
        rows += [_row(metric.name, *key, members, found) for key, members in divide(scored).items()]
        interval = f"{found['ci95_low/overall']:.3f} to {found['ci95_high/overall']:.3f}"
        rows.append(["overall", str(len(scored)), f"{overall:.3f}", interval])
    else:
        rows.append(["overall", str(len(usable)), "none", ""])
    return with_notes(rows, _notes(metric, found, usable, overall is not None))


def _row(name: str, division: str, group: str, members: list[Record], found: dict[str, float]) -> list[str]:
    value = found.get(f"{name}/{division}/{group}")
    return [f"{division}: {group}", str(len(members)), "" if value is None else f"{value:.3f}", ""]


def _notes(metric: AnswerMetric, found: dict[str, float], usable: list[Record], given: bool) -> list[str]:
    notes = []
    lost = len(metric.records) - len(usable)
    if lost:
        share = (
            f"{lost} of {len(metric.records)} samples have no video that can be used (coverage {found['coverage']:.2%})"
        )
        rest = (
            "the score is of the rest." if given else "no score is given of a part, unless --allow-missing asks for it."
        )
        notes.append(f"{share}: {rest}")
    if found["unparsable"]:
        notes.append(f"Answers that cannot be parsed, and count as wrong: {found['unparsable']:.0f}.")
    if found["unlabelled"]:
        notes.append(f"Answers without a published reference, not scored: {found['unlabelled']:.0f}.")
    return notes
