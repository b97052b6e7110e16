from mmengine.evaluator import Evaluator

from elva.registry import elva_scope
from elva.structures import VideoQASample


def test_answers_are_kept_and_none_is_scored() -> None:
    with elva_scope():
        evaluator = Evaluator({"type": "Unscored"})
    said = [" A man cooks. ", "", "whatever"]
    samples = [VideoQASample(str(i), "Describe it.", "A cook.", prediction=text) for i, text in enumerate(said)]
    samples[2].stats["error"] = "a.mp4: is empty"
    evaluator.process(data_samples=samples)
    results = evaluator.evaluate(3)
    assert results == {"n": 3, "coverage": 2 / 3, "unparsable": 1, "unlabelled": 2}
    records = evaluator.metrics[0].records
    assert [r["parsed"] for r in records] == ["A man cooks.", None, None]
    assert all(r["score"] is None and r["answer"] == "A cook." for r in records)
