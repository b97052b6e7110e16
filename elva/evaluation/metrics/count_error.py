"""Error of counts from 1 to 10, as TGIF-QA's task Count has them."""

import re
from typing import Any

from elva.registry import METRICS

from ..records import Record
from .base import AnswerMetric

LOW, HIGH = 1, 10
"""The counts that there are; 10 stands for more, too."""

_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {"zero": 0, "once": 1, "twice": 2} | {word: number for number, word in enumerate(_WORDS, start=1)}
_NUMBER = re.compile(rf"\d+(?:\.\d+)?|\b(?:{'|'.join(_NUMBERS)})\b")


@METRICS.register_module()
class CountError(AnswerMetric):
    """Share of right counts (``accuracy/overall``), and the mean squared error (``mse/overall``; lower is better).

    As in the code of TGIF-QA (Jang et al., CVPR 2017, arXiv:1704.04497) a count is rounded and cut to 1 to 10. A reply
    with no number, or with two different ones, is wrong and has the largest error that its question allows (published
    models always give a number).

    Args and other results: see :class:`AnswerMetric`.
    """

    def judge(self, record: Record) -> dict[str, Any]:
        count = count_in(record["raw"])
        if record["answer"] is None:
            return {"parsed": _text(count), "score": None}
        right = int(record["answer"])
        error = max(right - LOW, HIGH - right) if count is None else abs(count - right)
        return {"parsed": _text(count), "score": float(error == 0), "squared_error": error**2}

    def summarise(self, scored: list[Record]) -> dict[str, float]:
        errors = [record["squared_error"] for record in scored]
        return super().summarise(scored) | {"mse/overall": sum(errors) / len(errors)}


def count_in(reply: str) -> int | None:
    """The one number of a reply, in digits or as a word, rounded and cut to 1 to 10; None if there is none."""
    found = {float(_NUMBERS.get(number, number)) for number in _NUMBER.findall(reply.lower())}
    if len(found) != 1:
        return None
    return min(max(round(found.pop()), LOW), HIGH)


def _text(count: int | None) -> str | None:
    return None if count is None else str(count)
