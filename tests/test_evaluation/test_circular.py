from typing import Any

from elva.evaluation.circular import fold_rotations

OPTIONS = ["x", "y", "z"]


def _record(question: str, rotation: int | None, score: float, parsed: str | None = "A") -> dict[str, Any]:
    turned = {} if rotation is None else {"rotation": rotation}
    return {
        "id": question if rotation is None else f"{question}#{rotation}",
        "question_id": question,
        "options": OPTIONS,
        "score": score,
        "parsed": parsed,
        **turned,
    }


def test_a_question_is_right_if_it_is_right_in_every_rotation() -> None:
    records = [_record("a", r, 1.0) for r in range(3)] + [_record("b", r, float(r != 1)) for r in range(3)]
    folded = fold_rotations(records)
    assert [(r["id"], r["score"], r["asked"]) for r in folded] == [("a", 1.0, 3), ("b", 0.0, 3)]


def test_one_reply_that_cannot_be_parsed_makes_the_question_unparsable() -> None:
    (folded,) = fold_rotations([_record("a", 0, 1.0), _record("a", 1, 0.0, None), _record("a", 2, 1.0)])
    assert (folded["parsed"], folded["score"]) == (None, 0.0)


def test_a_question_of_which_a_rotation_is_missing_is_left_out() -> None:
    assert fold_rotations([_record("a", 0, 1.0), _record("a", 2, 1.0)]) == []


def test_others_stay_as_they_are() -> None:
    records = [_record("a", None, 1.0), _record("b", None, 0.0)]
    assert fold_rotations(records) == records
    same_name = [record | {"question_id": "q"} for record in records]
    assert fold_rotations(same_name) == same_name
