"""Accuracy of multiple choice."""

from typing import Any

from elva.registry import METRICS
from elva.structures.question import LETTERS

from ..chance import chance
from ..circular import fold_rotations
from ..parsing import RULES, parse_choice
from ..records import Record
from .base import AnswerMetric


@METRICS.register_module()
class MultipleChoice(AnswerMetric):
    """Share of the questions whose right option was chosen, read by the fixed rules of :func:`parse_choice`.

    A reply that the rules cannot read is wrong; ``unparsable_share`` says how many there are. In a circular evaluation
    (every question asked once for each rotation of its options) a question is right if it is right in every rotation;
    ``rotations/overall`` is the accuracy over the single rotations. Records say in ``rule`` which rule read the reply.

    Further results: ``chance/overall`` and ``chance/<division>/<group>``, what guessing would score. Args and other
    results: see :class:`AnswerMetric`.
    """

    def protocol(self) -> dict[str, Any]:
        return super().protocol() | {"parser": list(RULES)}

    def judge(self, record: Record) -> dict[str, Any]:
        if not record["options"]:
            raise ValueError(
                f"question '{record['id']}' has no options: MultipleChoice cannot score it; take ExactMatch, WUPS or "
                "LLMJudge for open questions"
            )
        if record["answer"] is not None and record["answer"] not in LETTERS[: len(record["options"])]:
            raise ValueError(
                f"question '{record['id']}' was asked as an open question: its answer {record['answer']!r} is no "
                "option's letter, and MultipleChoice cannot score it; take ExactMatch, or ask it as multiple choice"
            )
        letter, rule = parse_choice(record["raw"], record["options"])
        score = None if record["answer"] is None else float(letter == record["answer"])
        return {"parsed": letter, "score": score, "rule": rule}

    def units(self, scored: list[Record]) -> list[Record]:
        return fold_rotations(scored)

    def summarise(self, scored: list[Record]) -> dict[str, float]:
        questions = self.units(scored)
        if not questions:
            return {}
        metrics = super().summarise(questions)
        metrics |= {f"chance/{name}": value for name, value in chance(questions).items()}
        metrics["unparsable_share"] = sum(record["parsed"] is None for record in scored) / len(scored)
        if len(questions) < len(scored):
            metrics["rotations/overall"] = sum(record["score"] for record in scored) / len(scored)
        return metrics
