"""Several metrics of one evaluation."""

from collections.abc import Sequence
from typing import Any

from ..records import Record
from .base import AnswerMetric


def tell_apart(metrics: Sequence[Any]) -> None:
    """Give the metrics after the first their type as prefix, where they have none.

    Raises:
        ValueError: If one is no :class:`AnswerMetric`, or two have the same prefix.
    """
    for number, metric in enumerate(metrics):
        name = type(metric).__name__
        if not isinstance(metric, AnswerMetric):
            raise ValueError(f"test_evaluator: {name} is no AnswerMetric; use test_cfg=dict(type='TestLoop')")
        if number and not metric.prefix:
            metric.prefix = name
    prefixes = [metric.prefix for metric in metrics]
    twice = [prefix for prefix in prefixes if prefixes.count(prefix) > 1]
    if twice:
        raise ValueError(f"test_evaluator: two metrics have the prefix '{twice[0]}'; give each a prefix of its own")


def score_all(metrics: Sequence[AnswerMetric], records: Sequence[Record]) -> dict[str, float]:
    """Judge answers by every metric.

    Args:
        metrics: The first one's ``records`` get what the others make of each answer: ``also``, by their prefixes.
        records: As :func:`record_of` makes them.

    Returns:
        The scores, behind each metric's prefix.
    """
    scores: dict[str, float] = {}
    for metric in metrics:
        judged = [record | metric.judgement(record) for record in records]
        prefix = f"{metric.prefix}/" if metric.prefix else ""
        scores |= {f"{prefix}{key}": value for key, value in metric.compute_metrics(judged).items()}
    first, *others = metrics
    if others:
        for place, record in enumerate(records):
            first.records[place]["also"] = {str(m.prefix): _beyond(record, m.records[place]) for m in others}
    return scores


def _beyond(record: Record, judged: Record) -> dict[str, Any]:
    """What a metric has added to a record."""
    return {key: value for key, value in judged.items() if key not in record}
