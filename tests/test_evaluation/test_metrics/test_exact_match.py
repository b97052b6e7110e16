import pytest
from mmengine.evaluator import Evaluator

from elva.evaluation import ExactMatch, normalise_answer
from elva.registry import elva_scope
from elva.structures import VideoQASample


def _sample(prediction: str | None, answer: str = "two", skill: str | None = "count", **stats: object) -> VideoQASample:
    meta = {} if skill is None else {"skill": skill, "options": ["one", "two"]}
    return VideoQASample("s", "<video>\nHow many?", answer, meta=meta, prediction=prediction, stats=stats)


def _evaluate(samples: list[VideoQASample], **config: object) -> tuple[dict[str, float], ExactMatch]:
    """Through MMEngine's evaluator, as a run does."""
    with elva_scope():
        evaluator = Evaluator({"type": "ExactMatch", "group_by": "skill", **config})
    evaluator.process(data_samples=samples[:2])
    evaluator.process(data_samples=samples[2:])
    return evaluator.evaluate(len(samples)), evaluator.metrics[0]


def test_accuracy_by_skill_and_overall() -> None:
    samples = [_sample("Two."), _sample("one"), _sample("red", "red", "colour"), _sample("x", "y", None)]
    results, _ = _evaluate(samples)
    expected = {
        "accuracy/overall": 0.5,
        "accuracy/skill/count": 0.5,
        "accuracy/skill/colour": 1.0,
        "chance/overall": 0.5,
        "chance/skill/count": 0.5,
        "chance/skill/colour": 0.5,
        "n": 4,
        "coverage": 1.0,
        "unparsable": 0,
    }
    assert {name: results[name] for name in expected} == expected


@pytest.mark.parametrize("prediction", [None, "", "  ", "?!", "two three"])
def test_empty_and_other_answers_are_wrong(prediction: str | None) -> None:
    results, _ = _evaluate([_sample(prediction)])
    assert results["accuracy/overall"] == 0
    assert results["unparsable"] == (prediction != "two three")


def test_an_empty_reference_is_never_right() -> None:
    assert _evaluate([_sample("", answer="")])[0]["accuracy/overall"] == 0


def test_an_answer_without_its_video_is_none() -> None:
    samples = [_sample("two", error="a.mp4: no video stream"), _sample("two")]
    results, metric = _evaluate(samples)
    assert "accuracy/overall" not in results and results["coverage"] == 0.5
    assert (metric.records[0]["score"], metric.records[0]["error"]) == (None, "a.mp4: no video stream")
    assert _evaluate(samples, allow_missing=True)[0]["accuracy/overall"] == 1


def test_an_answer_whose_reference_is_not_published_has_no_score() -> None:
    unknown = _sample("two", answer="")
    unknown.meta["labelled"] = False
    results, metric = _evaluate([unknown, _sample("one")])
    assert (results["accuracy/overall"], results["unlabelled"]) == (0, 1)
    assert (metric.records[0]["parsed"], metric.records[0]["score"]) == ("two", None)


def test_another_group() -> None:
    sample = _sample("two")
    sample.meta["length"] = "short"
    results, _ = _evaluate([sample], group_by="length")
    assert results["accuracy/length/short"] == 1 and "accuracy/skill/count" not in results


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
