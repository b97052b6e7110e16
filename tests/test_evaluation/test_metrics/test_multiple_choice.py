import pytest
from mmengine.evaluator import Evaluator

from elva.evaluation import MultipleChoice, estimate_mean
from elva.registry import elva_scope
from elva.structures import VideoQASample

OPTIONS = ["opening the door", "closing the door", "waving", "running"]


def _sample(number: int, prediction: str, answer: str = "B", **meta: object) -> VideoQASample:
    known = {"options": OPTIONS, "cluster": f"{number // 2}.mp4", "groups": {"kind": "causal"}, **meta}
    return VideoQASample(f"q{number}", "<video>\nWhat?", answer, meta=known, prediction=prediction)


def _evaluate(samples: list[VideoQASample]) -> tuple[dict[str, float], MultipleChoice]:
    with elva_scope():
        evaluator = Evaluator({"type": "MultipleChoice"})
    evaluator.process(data_samples=samples)
    return evaluator.evaluate(len(samples)), evaluator.metrics[0]


def test_replies_are_parsed_and_what_cannot_be_is_wrong() -> None:
    replies = ["B", "(B) closing the door", "The answer is C.", "A man", "closing the door", "B or C"]
    results, metric = _evaluate([_sample(i, reply) for i, reply in enumerate(replies)])
    assert [r["parsed"] for r in metric.records] == ["B", "B", "C", None, "B", None]
    assert [r["score"] for r in metric.records] == [1, 1, 0, 0, 1, 0]
    assert [r["rule"] for r in metric.records] == ["letter", "heading", "statement", "", "option", ""]
    assert metric.protocol()["parser"][:2] == ["letter", "option"]
    assert results["accuracy/overall"] == results["accuracy/kind/causal"] == 0.5
    assert (results["unparsable"], results["unparsable_share"]) == (2, pytest.approx(1 / 3))
    assert results["chance/overall"] == results["chance/kind/causal"] == 0.25
    expected = estimate_mean([1, 1, 0, 0, 1, 0], [0, 0, 1, 1, 2, 2])
    assert results["stderr/overall"] == pytest.approx(expected.stderr)
    assert (results["ci95_low/overall"], results["ci95_high/overall"]) == pytest.approx((expected.low, expected.high))


def test_circular_evaluation() -> None:
    """The first question is right in every rotation, the second always says B."""

    def rotation(number: int, by: int, reply: str) -> VideoQASample:
        options = [OPTIONS[(place - by) % 4] for place in range(4)]
        meta = {"options": options, "rotation": by, "question_id": f"q{number}"}
        return _sample(number, reply, "ABCD"[(1 + by) % 4], **meta)

    samples = [rotation(0, by, "closing the door") for by in range(4)] + [rotation(2, by, "B") for by in range(4)]
    results, metric = _evaluate(samples)
    assert results["accuracy/overall"] == 0.5
    assert results["rotations/overall"] == 5 / 8
    assert results["chance/overall"] == 0.25**4
    assert results["n"] == 8 and len(metric.records) == 8


def test_a_question_without_options_is_refused() -> None:
    with pytest.raises(ValueError, match="question 'q3' has no options.*ExactMatch"):
        _evaluate([_sample(3, "B", options=[])])


def test_what_was_asked_as_an_open_question_is_refused_instead_of_scored_0() -> None:
    with pytest.raises(ValueError, match="question 'q0' was asked as an open question: its answer 'waving' is no opt"):
        _evaluate([_sample(0, "waving", answer="waving")])
    with pytest.raises(ValueError, match="its answer 'E' is no option's letter"):
        _evaluate([_sample(0, "E", answer="E")])
