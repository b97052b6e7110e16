import json
from pathlib import Path
from typing import Any

import pytest

from elva.evaluation import estimate_difference, mcnemar
from elva.evaluation.comparison import (
    Comparison,
    changed,
    check_same_kind,
    compare_groups,
    pair_records,
    protocol_differences,
    read_evaluation,
)


def _records(scores: str, **more: Any) -> list[dict[str, Any]]:
    """One record a character: '1' right, '0' wrong, '-' not scored; two questions a video, kinds in turn."""
    return [
        {
            "id": f"q{i}",
            "question_id": f"q{i}",
            "cluster": f"{i // 2}.mp4",
            "videos": [f"{i // 2}.mp4"],
            "question": f"What is {i}?",
            "options": ["x", "y"],
            "answer": "A",
            "raw": score,
            "parsed": "A",
            "score": None if score == "-" else float(score),
            "groups": {"kind": "ab"[i % 2]},
            **more,
        }
        for i, score in enumerate(scores)
    ]


def test_pairs_are_made_by_id_whatever_the_order() -> None:
    before, after = _records("1100"), _records("1010")
    pairs = pair_records(before, after[::-1])
    found = Comparison.of(pairs)
    assert [(a["id"], a["score"], b["score"]) for a, b in pairs][1:3] == [("q1", 1, 0), ("q2", 0, 1)]
    assert (found.before, found.after, found.gained, found.lost) == (0.5, 0.5, 1, 1)
    assert found.difference == estimate_difference([1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 1, 1])
    assert found.p == mcnemar(1, 1) == 1


def test_what_one_side_could_not_score_is_left_out() -> None:
    pairs = pair_records(_records("11-0"), _records("-100"))
    assert [a["id"] for a, _ in pairs] == ["q1", "q3"]


def test_scores_between_have_no_mcnemar() -> None:
    before, after = _records("10"), _records("11")
    after[1]["score"] = 0.4
    found = Comparison.of(pair_records(before, after))
    assert found.p is None and found.gained == 1
    assert found.difference.mean == pytest.approx(0.2)


def test_rotations_are_one_question() -> None:
    def circular(scores: str) -> list[dict[str, Any]]:
        records = _records(scores)
        for i, record in enumerate(records):
            record |= {"question_id": f"q{i // 2}", "rotation": i % 2}
        return records

    found = Comparison.of(pair_records(circular("1110"), circular("1111")))
    assert (found.before, found.after, found.difference.n, found.gained) == (0.5, 1.0, 2, 1)


def test_groups() -> None:
    pairs = pair_records(_records("110011"), _records("010111"))
    found = compare_groups(pairs)
    assert list(found) == [("kind", "a"), ("kind", "b")]
    assert (found["kind", "a"].lost, found["kind", "b"].gained) == (1, 1)
    assert compare_groups(pairs, "kind") == found
    with pytest.raises(ValueError, match="--group color: the questions are divided by kind"):
        compare_groups(pairs, "color")


def test_changed_samples_hold_both_answers() -> None:
    found = changed(pair_records(_records("1100"), _records("1010")))
    assert [(row["change"], row["id"]) for row in found] == [("gained", "q2"), ("lost", "q1")]
    assert found[0]["before"] == {"raw": "0", "parsed": "A", "score": 0}
    assert found[0]["after"]["score"] == 1 and found[0]["question"] == "What is 2?"


def test_other_questions_are_refused() -> None:
    with pytest.raises(ValueError, match="2 are in the first file only, 0 in the second only .q2, q3, ....; 2 are in"):
        pair_records(_records("1111"), _records("11"))
    with pytest.raises(ValueError, match="2 of 2 questions have another 'answer'.*'q0'"):
        pair_records(_records("11"), _records("11", answer="B"))
    with pytest.raises(ValueError, match="another 'options'"):
        pair_records(_records("11"), _records("11", options=["y", "x"]), other_prompts=True)
    with pytest.raises(ValueError, match="another 'question'.*--other-prompts"):
        pair_records(_records("11"), _records("11", question="Why?"))
    assert len(pair_records(_records("11"), _records("11", question="Why?"), other_prompts=True)) == 2


def test_protocols() -> None:
    before = {"data": {"benchmark": "X", "take": "all"}, "metrics": [{"metric": "ExactMatch"}], "seed": 0}
    after = {"data": {"benchmark": "X", "take": "10"}, "metrics": [{"metric": "ExactMatch"}], "exact": True, "seed": 0}
    assert protocol_differences(before, after) == {"data.take": ("all", "10"), "exact": (None, True)}
    assert protocol_differences(before, before) == {}
    check_same_kind(before, after)
    with pytest.raises(ValueError, match="of the benchmark X, the second of Y"):
        check_same_kind(before, after | {"data": {"benchmark": "Y"}})
    with pytest.raises(ValueError, match="of the score ExactMatch, the second of WUPS"):
        check_same_kind(before, after | {"metrics": [{"metric": "WUPS"}]})


def test_an_evaluation_is_read_with_its_protocol(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in _records("10")))
    assert read_evaluation(path) == (_records("10"), None)
    (tmp_path / "protocol.json").write_text('{"seed": 0}')
    assert read_evaluation(path)[1] == {"seed": 0}
    (tmp_path / "protocol.json").write_text('{"seed"')
    with pytest.raises(ValueError, match="protocol.json is not JSON"):
        read_evaluation(path)
