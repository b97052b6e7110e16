"""Circular evaluation: a question counts as right only if it is right however its options are ordered.

(Liu et al., "MMBench", arXiv:2307.06281.)
"""

from collections.abc import Iterable

from .records import Record


def fold_rotations(records: Iterable[Record]) -> list[Record]:
    """One record for each question of which every rotation was answered; others stay as they are.

    Of a question's records it keeps the first; its ``id`` is the question's, its ``score`` the least of all, ``parsed``
    None if any could not be parsed, and ``asked`` how many there are. Questions of which a rotation is missing are
    left out: they would be easier than the others.
    """
    rotations: dict[str, dict[int, Record]] = {}
    for record in records:
        rotations.setdefault(record["question_id"], {})[record.get("rotation", -1)] = record
    return [_fold(asked) for asked in rotations.values() if -1 in asked or len(asked) == len(_any(asked)["options"])]


def _any(asked: dict[int, Record]) -> Record:
    return next(iter(asked.values()))


def _fold(asked: dict[int, Record]) -> Record:
    first = _any(asked)
    if -1 in asked:
        return first
    parsed = None if any(record["parsed"] is None for record in asked.values()) else first["parsed"]
    score = min(record["score"] for record in asked.values())
    return first | {"id": first["question_id"], "score": score, "parsed": parsed, "asked": len(asked)}
