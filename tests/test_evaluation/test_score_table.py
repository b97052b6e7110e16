from typing import Any

from elva.evaluation import ExactMatch, score_table
from elva.evaluation.metrics import Unscored, score_all
from elva.evaluation.records import record_of
from elva.structures import VideoQASample


def _table(samples: list[VideoQASample], **options: Any) -> str:
    metric = ExactMatch(group_by="skill", **options)
    metric.process(None, samples)
    return score_table(metric, metric.evaluate(len(samples)))


def _sample(number: int, raw: str, **stats: Any) -> VideoQASample:
    skill = {"skill": "colour" if number % 2 else "count"}
    return VideoQASample(f"s{number}", "?", "red", (f"{number}.mp4",), meta=skill, prediction=raw, stats=stats)


def test_groups_come_first_and_all_together_last_with_the_interval() -> None:
    lines = _table([_sample(n, "red" if n < 3 else "blue") for n in range(4)]).splitlines()
    assert [line.split()[1:4] for line in lines[2:4]] == [["count", "2", "1.000"], ["colour", "2", "0.500"]]
    assert lines[4].split()[:3] == ["overall", "4", "0.750"] and " to " in lines[4]


def test_chance_stands_beside_the_score_where_the_options_are_known() -> None:
    sample = _sample(0, "red")
    sample.meta["options"] = ["red", "blue", "green", "grey"]
    lines = _table([sample]).splitlines()
    assert "chance" in lines[0] and lines[-1].split()[:4] == ["overall", "1", "1.000", "0.250"]
    assert "chance" not in _table([_sample(0, "red")])


def test_further_scores_stand_below() -> None:
    metric = ExactMatch()
    metric.process(None, [_sample(0, "red")])
    table = score_table(metric, metric.evaluate(1) | {"mse/overall": 0.25, "accuracy_at_5/overall": 0.5})
    assert "mse: 0.250." in table and "accuracy_at_5: 0.500." in table and "accuracy: " not in table


def test_each_of_several_metrics_has_its_own_table() -> None:
    first, other = ExactMatch(), ExactMatch(prefix="strict")
    other.judge = lambda record: {"parsed": record["raw"], "score": 0.0}  # type: ignore[method-assign]
    records = [record_of(_sample(n, "red")) for n in range(2)]
    scores = score_all([first, other], records)
    tables = [score_table(metric, scores | {"strict/mse/overall": 4.0}) for metric in (first, other)]
    assert tables[0].splitlines()[-1].split()[:3] == ["overall", "2", "1.000"] and "strict" not in tables[0]
    assert tables[1].splitlines()[0].split()[0] == "strict" and "mse: 4.000." in tables[1]
    assert "overall 2 0.000" in " ".join(tables[1].split())


def test_what_limits_the_score_stands_below() -> None:
    samples = [_sample(0, "red"), _sample(1, "?!"), _sample(2, "red", error="2.mp4: is empty")]
    refused = _table(samples)
    assert (
        refused.splitlines()[2].split() == ["overall", "2", "none"]
        and "1 of 3 questions have files that cannot" in refused
    )
    assert "(coverage 66.67%): no score is given of a part" in " ".join(refused.split())
    allowed = " ".join(_table(samples, allow_missing=True).split())
    assert "overall 2 0.500" in allowed and "the score is of the rest" in allowed
    assert "Answers that cannot be parsed: 1; 1 of them count as wrong." in allowed


def test_an_answer_without_a_reference_is_not_wrong() -> None:
    samples = [_sample(0, "?!"), _sample(1, "?!")]
    samples[1].meta["labelled"] = False
    table = _table(samples)
    assert "Answers that cannot be parsed: 2; 1 of them count as wrong." in table
    assert "Answers without a published reference, not scored: 1." in table


def test_leave_that_changes_nothing_is_not_offered_twice() -> None:
    samples = [_sample(0, "red"), _sample(1, "red", error="1.mp4: is empty")]
    samples[0].meta["labelled"] = False
    table = " ".join(_table(samples, allow_missing=True).split())
    assert "of the rest no reference is known" in table and "--allow-missing" not in table


def test_divisions_stand_together() -> None:
    metric = ExactMatch()
    samples = [_sample(n, "red") for n in range(2)]
    for n, sample in enumerate(samples):
        sample.meta["groups"] = {"length": str(n), "topic": f"t{n}"}
    metric.process(None, samples)
    names = [line.split("  ")[1] for line in score_table(metric, metric.evaluate(2)).splitlines()[2:]]
    assert names == ["length: 0", "length: 1", "topic: t0", "topic: t1", "overall"]


def test_where_nothing_is_scored_there_is_no_column_of_scores() -> None:
    metric = Unscored()
    metric.process(None, [_sample(0, "a dog runs"), _sample(1, " ")])
    table = score_table(metric, metric.evaluate(2))
    assert table.splitlines()[-2].split() == ["overall", "2"] and "accuracy" not in table
    assert "Nothing is scored: that takes a judge. Empty answers: 1." in table
