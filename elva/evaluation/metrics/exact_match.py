"""Accuracy of short answers."""

from typing import Any

from elva.registry import METRICS

from ..chance import chance
from ..records import Record
from ..text import normalise_answer
from .base import AnswerMetric


@METRICS.register_module()
class ExactMatch(AnswerMetric):
    """Share of the answers that equal the reference, whatever their case, punctuation, articles and spaces.

    An answer without a word is unparsable, and wrong. Where annotations have ``options`` (what an open question could
    be answered with), ``chance/overall`` and ``chance/<division>/<group>`` say what guessing among them would score.

    Args and results: see :class:`AnswerMetric`.
    """

    def judge(self, record: Record) -> dict[str, Any]:
        said = normalise_answer(record["raw"]) or None
        if record["answer"] is None:
            return {"parsed": said, "score": None}
        return {"parsed": said, "score": float(said is not None and said == normalise_answer(record["answer"]))}

    def summarise(self, scored: list[Record]) -> dict[str, float]:
        guessed = chance(scored)
        return super().summarise(scored) | {f"chance/{name}": value for name, value in guessed.items()}
