"""The numbers of the demo's report."""

import json
from pathlib import Path
from typing import Any

import pytest

from elva.visualization import demo_numbers as numbers
from tests.test_visualization.tiny import random_clip, tiny_model


def answers(correct: str, skills: str = "ccss", **more: Any) -> list[dict[str, Any]]:
    """One record a character of ``correct``: ``'1'`` is right."""
    names = {"c": "colour", "s": "shape"}
    return [
        {
            "id": str(i),
            "cluster": f"{i}.mp4",
            "groups": {"skill": names[s]},
            "score": float(c),
            "options": list("abcd" if s == "c" else "ab"),
            **more,
        }
        for i, (c, s) in enumerate(zip(correct, skills, strict=True))
    ]


def test_accuracy_chance_and_counts() -> None:
    report = numbers.accuracy_numbers(answers("1110"), answers("1111"), answers("0100"))
    assert report["accuracy"] == {
        "overall": 0.75,
        "by_skill": {"colour": 1.0, "shape": 0.5},
        "no_merge": 1.0,
        "no_merge_by_skill": {"colour": 1.0, "shape": 1.0},
        "blind": 0.25,
        "blind_by_skill": {"colour": 0.5, "shape": 0.0},
    }
    assert report["chance"] == {"overall": 0.375, "by_skill": {"colour": 0.25, "shape": 0.5}}
    assert (report["n"], report["n_by_skill"], report["skipped"]) == (4, {"colour": 2, "shape": 2}, 0)
    assert report["merge_cost"]["accuracy"] == 0.25


def test_unreadable_videos_are_counted() -> None:
    assert numbers.accuracy_numbers(*[answers("1110", error="bad")] * 3)["skipped"] == 4


def test_answers_to_other_questions_are_not_compared() -> None:
    with pytest.raises(ValueError, match="'blind' are of other questions"):
        numbers.accuracy_numbers(answers("1110"), answers("1111"), answers("1111")[::-1])


def test_only_questions_with_different_outcomes_make_the_difference_uncertain() -> None:
    same = numbers.paired_difference(answers("1010"), answers("1010"))
    assert same == {"accuracy": 0.0, "standard_error": 0.0}
    skills = "c" * 100
    one, other = answers("1" * 60 + "0" * 40, skills), answers("1" * 50 + "0" * 40 + "1" * 10, skills)
    difference = numbers.paired_difference(one, other)
    assert difference["accuracy"] == 0.0
    assert difference["standard_error"] == pytest.approx((20 / 99 / 100) ** 0.5)


def test_tokens_are_averaged_layer_by_layer() -> None:
    records = answers("1", "c", tokens=[10, 6]) + answers("1", "c", tokens=[20, 8])
    assert numbers.mean_tokens(records) == [15, 7]


def test_fewer_rows_cost_fewer_flops_everywhere_but_at_the_ends() -> None:
    model, plan = tiny_model(), random_clip().plan
    merged = numbers.prefill_flops(model, [40, 20, 10, 10], plan)
    unmerged = numbers.prefill_flops(model, [40, 40, 40, 40], plan)
    assert merged["mlp"] == pytest.approx(unmerged["mlp"] * 80 / 160)
    assert merged["attention"] < unmerged["attention"]
    assert merged["tokenizer"] == unmerged["tokenizer"] > 0
    assert merged["head"] == unmerged["head"] == 2 * 16 * 32


def test_parameters_by_part() -> None:
    counted = numbers.parameters(tiny_model())
    assert counted["total"] == counted["llm"] + counted["tokenizer"]
    assert set(counted) == {"total", "llm", "tokenizer"}


def test_versions_name_what_decides_the_numbers() -> None:
    assert set(numbers.versions()) == {"elva", "python", "torch", "mmengine", "transformers"}


def test_predictions_are_read_from_the_json_of_the_test_tool(tmp_path: Path) -> None:
    from elva.utils.results import write_results

    write_results(tmp_path / "p.json", {"accuracy/overall": 1.0}, answers("1110"))
    assert numbers.read_predictions(tmp_path / "p.json") == json.loads(json.dumps(answers("1110")))
