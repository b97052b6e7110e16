from typing import Any

import pytest

from elva.evaluation.metrics import AnswerMetric
from elva.structures import VideoQASample


class Same(AnswerMetric):
    def judge(self, record: dict[str, Any]) -> dict[str, Any]:
        if record["answer"] is None:
            return {"parsed": record["raw"], "score": None}
        return {"parsed": record["raw"] or None, "score": float(record["raw"] == record["answer"])}


def _sample(video: str, raw: str, answer: str = "x", error: str | None = None, **meta: Any) -> VideoQASample:
    stats = {"error": error} if error else {}
    return VideoQASample(f"{video}-{raw}", "?", answer, (video,), meta=meta, prediction=raw, stats=stats)


def _evaluate(samples: list[VideoQASample], **options: Any) -> dict[str, float]:
    metric = Same(**options)
    metric.process(None, samples)
    return metric.evaluate(len(samples))


def test_scores_by_group_with_errors_clustered_by_video() -> None:
    samples = [_sample(f"{v}.mp4", "x" if v else "y", skill=f"s{v % 2}") for v in range(4) for _ in range(5)]
    scores = _evaluate(samples, group_by="skill")
    assert scores["accuracy/overall"] == 0.75 and scores["accuracy/skill/s1"] == 1 and scores["n"] == 20
    assert scores["stderr/overall"] == pytest.approx(0.25)  # of 4 videos: 0.5 / sqrt(4); of 20 samples it were 0.1
    assert scores["ci95_low/overall"] < 0.75 < scores["ci95_high/overall"]


def test_each_group_counts_the_same_in_the_mean_of_groups() -> None:
    samples = [_sample("a.mp4", "x", groups={"task": "many"}) for _ in range(9)]
    samples.append(_sample("b.mp4", "y", groups={"task": "few"}))
    scores = _evaluate(samples)
    assert scores["accuracy/overall"] == 0.9 and scores["mean_of_groups/task"] == 0.5


def test_below_full_coverage_there_is_no_headline_score() -> None:
    samples = [_sample("a.mp4", "x"), _sample("b.mp4", "x", error="b.mp4: is empty")]
    refused = _evaluate(samples)
    assert refused == {"n": 2, "coverage": 0.5, "unparsable": 0, "unlabelled": 0}
    allowed = _evaluate(samples, allow_missing=True)
    assert allowed["accuracy/overall"] == 1 and allowed["coverage"] == 0.5


def test_unparsable_answers_are_wrong_and_unlabelled_ones_no_score() -> None:
    samples = [_sample("a.mp4", ""), _sample("b.mp4", "x"), _sample("c.mp4", "x", labelled=False)]
    scores = _evaluate(samples)
    assert scores["accuracy/overall"] == 0.5 and scores["unparsable"] == 1 and scores["unlabelled"] == 1
