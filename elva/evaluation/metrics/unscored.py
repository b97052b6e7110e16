"""No score at all."""

from typing import Any

from elva.registry import METRICS

from ..records import Record
from .base import AnswerMetric


@METRICS.register_module()
class Unscored(AnswerMetric):
    """Keeps the answers and scores none: for long answers, of which no fixed rule tells whether they are right.

    Whoever has a judge takes :class:`LLMJudge` instead. Results: ``n``, ``coverage``, ``unparsable`` (empty answers)
    and ``unlabelled``, which is all of them. Args: see :class:`AnswerMetric`.
    """

    name = "unscored"

    def judge(self, record: Record) -> dict[str, Any]:
        return {"parsed": record["raw"].strip() or None, "score": None}
