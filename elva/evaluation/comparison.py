"""Two evaluations of the same questions, sample by sample."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .circular import fold_rotations
from .metrics.base import divide
from .predictions import read_predictions
from .records import Record
from .statistics import Estimate, estimate_difference, mcnemar

Pair = tuple[Record, Record]
"""The records of one question: before, after."""


@dataclass(frozen=True)
class Comparison:
    """What changes from one evaluation to another, on the questions that both could score.

    Attributes:
        before: Mean score of the first.
        after: Mean score of the second.
        difference: ``after`` minus ``before``, clustered by video.
        gained: Questions whose score went up.
        lost: Questions whose score went down.
        p: McNemar's exact p; None where scores are not all 0 or 1.
    """

    before: float
    after: float
    difference: Estimate
    gained: int
    lost: int
    p: float | None

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> "Comparison":
        """Compare pairs of records that have scores; at least one."""
        before, after = [a["score"] for a, _ in pairs], [b["score"] for _, b in pairs]
        difference = estimate_difference(after, before, [a["cluster"] for a, _ in pairs])
        gained = sum(b > a for a, b in zip(before, after, strict=True))
        lost = sum(b < a for a, b in zip(before, after, strict=True))
        binary = set(before) | set(after) <= {0, 1}
        p = mcnemar(gained, lost) if binary else None
        return cls(sum(before) / len(pairs), sum(after) / len(pairs), difference, gained, lost, p)

    def numbers(self) -> dict[str, Any]:
        """As ``--json`` writes them."""
        found = self.difference
        return {
            "n": found.n,
            "clusters": found.clusters,
            "before": self.before,
            "after": self.after,
            "difference": found.mean,
            "standard_error": found.stderr,
            "interval": [found.low, found.high],
            "gained": self.gained,
            "lost": self.lost,
            "mcnemar_p": self.p,
        }


def pair_records(before: Sequence[Record], after: Sequence[Record], other_prompts: bool = False) -> list[Pair]:
    """The records of each question, side by side; a circular evaluation's rotations become one.

    Args:
        before: Of one evaluation.
        after: Of another.
        other_prompts: Whether the questions may be worded otherwise (another prompt, subtitles). Default: False.

    Raises:
        ValueError: If the two did not answer the same questions.
    """
    one, other = ({record["id"]: record for record in records} for records in (before, after))
    alone = [sorted(set(one) - set(other)), sorted(set(other) - set(one))]
    if any(alone):
        named = ", ".join([*alone[0][:3], *alone[1][:3]])
        raise ValueError(
            f"The two answer different questions: {len(alone[0])} are in the first file only, {len(alone[1])} in the "
            f"second only ({named}, ...); {len(set(one) & set(other))} are in both. Evaluate both on the same ones."
        )
    keys = ("answer", "options") if other_prompts else ("answer", "options", "question")
    for key in keys:
        differ = [name for name, record in one.items() if record.get(key) != other[name].get(key)]
        if differ:
            hint = " --other-prompts compares them all the same." if key == "question" else ""
            raise ValueError(
                f"{len(differ)} of {len(one)} questions have another '{key}' in the second file, the first of them "
                f"'{differ[0]}': these are not the same questions.{hint}"
            )
    folded = {record["id"]: record for record in fold_rotations(_scored(other.values(), one))}
    return [(record, folded[record["id"]]) for record in fold_rotations(_scored(one.values(), other))]


def _scored(records: Any, partners: Mapping[str, Record]) -> list[Record]:
    """Those that have a score on both sides."""
    return [r for r in records if r["score"] is not None and partners[r["id"]]["score"] is not None]


def compare_groups(pairs: Sequence[Pair], division: str | None = None) -> dict[tuple[str, str], Comparison]:
    """Compare each group of questions.

    Args:
        pairs: Of records.
        division: The only one that is wanted. Default: all of them.

    Raises:
        ValueError: If the questions are not divided by it.
    """
    after = {a["id"]: b for a, b in pairs}
    groups = divide([a for a, _ in pairs])
    if division is not None:
        known = sorted({name for name, _ in groups})
        if division not in known:
            raise ValueError(f"--group {division}: the questions are divided by {', '.join(known) or 'nothing'}")
        groups = {key: members for key, members in groups.items() if key[0] == division}
    return {key: Comparison.of([(a, after[a["id"]]) for a in members]) for key, members in groups.items()}


def changed(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """The questions whose score changed, those that were gained first."""
    kept = ("raw", "parsed", "score")
    rows = [
        {
            "change": "gained" if b["score"] > a["score"] else "lost",
            **{key: a.get(key) for key in ("id", "videos", "question", "options", "answer", "groups")},
            "before": {key: a.get(key) for key in kept},
            "after": {key: b.get(key) for key in kept},
        }
        for a, b in pairs
        if a["score"] != b["score"]
    ]
    return sorted(rows, key=lambda row: row["change"])


def read_evaluation(path: str | Path) -> tuple[list[Record], dict[str, Any] | None]:
    """Predictions, and the protocol beside them; None if there is none.

    Raises:
        FileNotFoundError: If there are no predictions.
        ValueError: If a file is not what it should be.
    """
    protocol = Path(path).parent / "protocol.json"
    if not protocol.is_file():
        return read_predictions(path), None
    try:
        return read_predictions(path), json.loads(protocol.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{protocol} is not JSON: {error}") from error


def protocol_differences(before: Any, after: Any, at: str = "") -> dict[str, tuple[Any, Any]]:
    """What two protocols say differently, by dotted key; None where one says nothing."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [*before, *(key for key in after if key not in before)]
        nested = [protocol_differences(before.get(k), after.get(k), f"{at}.{k}" if at else k) for k in keys]
        return {key: values for part in nested for key, values in part.items()}
    return {} if before == after else {at: (before, after)}


def check_same_kind(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` if two protocols are of other benchmarks or of other scores."""
    for what, of in (("benchmark", _benchmark), ("score", _metric)):
        one, other = of(before), of(after)
        if one != other:
            raise ValueError(f"The first is of the {what} {one}, the second of {other}: they cannot be compared")


def _benchmark(protocol: Mapping[str, Any]) -> Any:
    return protocol.get("data", {}).get("benchmark")


def _metric(protocol: Mapping[str, Any]) -> Any:
    return next((metric.get("metric") for metric in protocol.get("metrics", [])), None)
