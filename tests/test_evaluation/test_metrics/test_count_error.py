import pytest
from mmengine.evaluator import Evaluator

from elva.evaluation.metrics.count_error import count_in
from elva.registry import elva_scope
from elva.structures import VideoQASample


@pytest.mark.parametrize(
    ("reply", "count"),
    [
        ("3", 3),
        ("Three times.", 3),
        ("The man nods 3 times, that is three.", 3),
        ("twice", 2),
        ("2.6", 3),
        ("0", 1),
        ("25 times", 10),
        ("3 or 4", None),
        ("many", None),
        ("someone", None),
        ("", None),
    ],
)
def test_the_one_number_of_a_reply(reply: str, count: int | None) -> None:
    assert count_in(reply) == count


def _evaluate(*pairs: tuple[str, str | None]) -> tuple[dict[str, float], list[dict]]:
    samples = [
        VideoQASample(f"q{i}", "How many?", right or "", meta={"labelled": right is not None}, prediction=reply)
        for i, (reply, right) in enumerate(pairs)
    ]
    with elva_scope():
        evaluator = Evaluator({"type": "CountError"})
    evaluator.process(data_samples=samples)
    return evaluator.evaluate(len(samples)), evaluator.metrics[0].records


def test_accuracy_and_mean_squared_error() -> None:
    results, records = _evaluate(("3", "3"), ("five", "3"), ("12", "10"), ("I do not know", "4"))
    assert [record["score"] for record in records] == [1.0, 0.0, 1.0, 0.0]
    assert [record["squared_error"] for record in records] == [0, 4, 0, 36]
    assert results["accuracy/overall"] == 0.5 and results["mse/overall"] == 10.0
    assert results["unparsable"] == 1 and records[3]["parsed"] is None


def test_without_a_reference_there_is_no_error() -> None:
    results, records = _evaluate(("3", None), ("4", "4"))
    assert records[0]["parsed"] == "3" and records[0]["score"] is None
    assert results["mse/overall"] == 0.0 and results["unlabelled"] == 1
