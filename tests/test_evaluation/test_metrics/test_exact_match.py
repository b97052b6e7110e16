import json
from pathlib import Path

import pytest
from mmengine.evaluator import Evaluator

from elva.evaluation import ExactMatch
from elva.evaluation.metrics import normalise_answer
from elva.registry import elva_scope
from elva.structures import VideoQASample


def _sample(prediction: str | None, answer: str = "two", skill: str | None = "count", **stats: object) -> VideoQASample:
    meta = {} if skill is None else {"skill": skill, "options": ["one", "two"]}
    return VideoQASample("s", "<video>\nHow many?", answer, meta=meta, prediction=prediction, stats=stats)


def _evaluate(samples: list[VideoQASample], **config: object) -> tuple[dict[str, float], ExactMatch]:
    """Through MMEngine's evaluator, as a run does."""
    with elva_scope():
        evaluator = Evaluator({"type": "ExactMatch", **config})
    evaluator.process(data_samples=samples[:2])
    evaluator.process(data_samples=samples[2:])
    return evaluator.evaluate(len(samples)), evaluator.metrics[0]


def test_accuracy_by_skill_and_overall() -> None:
    samples = [_sample("Two."), _sample("one"), _sample("red", "red", "colour"), _sample("x", "y", None)]
    results, _ = _evaluate(samples)
    assert results == {
        "accuracy/overall": 0.5,
        "accuracy/count": 0.5,
        "accuracy/colour": 1.0,
        "chance/overall": 0.5,
        "chance/count": 0.5,
        "chance/colour": 0.5,
        "n": 4,
        "skipped": 0,
    }


@pytest.mark.parametrize("prediction", [None, "", "  ", "?!", "two three"])
def test_empty_and_other_answers_are_wrong(prediction: str | None) -> None:
    assert _evaluate([_sample(prediction)])[0]["accuracy/overall"] == 0


def test_an_empty_reference_is_never_right() -> None:
    assert _evaluate([_sample("", answer="")])[0]["accuracy/overall"] == 0


def test_a_sample_without_its_video_is_wrong_and_counted() -> None:
    results, metric = _evaluate([_sample("two", error="a.mp4: no video stream"), _sample("two")])
    assert results["accuracy/overall"] == 0.5 and results["skipped"] == 1
    assert metric.records[0]["stats"] == {"error": "a.mp4: no video stream"}


def test_records_and_file(tmp_path: Path) -> None:
    _, metric = _evaluate([_sample("Two", tokens=[9, 4])], out=str(tmp_path / "deep" / "out.json"))
    expected = {
        "id": "s",
        "question": "<video>\nHow many?",
        "answer": "two",
        "prediction": "Two",
        "skill": "count",
        "correct": True,
        "options": ["one", "two"],
        "stats": {"tokens": [9, 4]},
    }
    assert metric.records == [expected]
    assert json.loads((tmp_path / "deep" / "out.json").read_text()) == [expected]


def test_another_group() -> None:
    sample = _sample("two")
    sample.meta["length"] = "short"
    results, _ = _evaluate([sample], group_by="length")
    assert results["accuracy/short"] == 1 and "accuracy/count" not in results


def test_the_samples_that_pad_a_distributed_run_are_left_out() -> None:
    with elva_scope():
        evaluator = Evaluator({"type": "ExactMatch"})
    evaluator.process(data_samples=[_sample("two"), _sample("one")])
    assert evaluator.evaluate(1)["n"] == 1


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The Red Circle.", "red circle"),
        ("  two\n", "two"),
        ("a", "a"),
        ("A.", "a"),
        ("an  apple, the pear", "apple pear"),
        ("theatre", "theatre"),
        ("", ""),
    ],
)
def test_normalise_answer(text: str, plain: str) -> None:
    assert normalise_answer(text) == plain
