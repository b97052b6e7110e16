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
        name = f"rotations of {record['question_id']}" if "rotation" in record else record["id"]
        rotations.setdefault(name, {})[record.get("rotation", 0)] = record
    return [_fold(list(asked.values())) for asked in rotations.values() if _is_whole(list(asked.values()))]


def _is_whole(asked: list[Record]) -> bool:
    return "rotation" not in asked[0] or len(asked) == len(asked[0]["options"])


def _fold(asked: list[Record]) -> Record:
    first = asked[0]
    if "rotation" not in first:
        return first
    parsed = None if any(record["parsed"] is None for record in asked) else first["parsed"]
    score = min(record["score"] for record in asked)
    return first | {"id": first["question_id"], "score": score, "parsed": parsed, "asked": len(asked)}
