"""WUPS of open answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from elva.registry import METRICS

from ..records import Record
from ..statistics import estimate_mean
from ..text import normalise_answer
from ..wordnet import WordNet
from ..wups import STOP_WORDS, damped, wups
from .base import AnswerMetric


@METRICS.register_module()
class WUPS(AnswerMetric):
    """How alike open answers are to the reference in WordNet's hierarchy; formulas in ``elva/evaluation/wups.py``.

    ``form='nextqa'`` is NExT-QA's open-ended score: words are lemmatised, stop words left out, the first meaning of
    each word counts, and questions of some groups (counting, yes or no) are right or wrong. ``form='sets'`` is the
    score of Malinowski and Fritz: items between commas, the two most similar meanings of each pair of nouns. Of several
    right answers the most similar one counts.

    Results: ``wups/overall`` and its errors at the first threshold, ``wups_at_<threshold>/overall`` at the others;
    others as :class:`AnswerMetric`. Which data nltk needs is in docs/evaluation_scores.md.

    Args:
        form: ``'nextqa'`` or ``'sets'``. Default: ``'nextqa'``.
        thresholds: Below these a similarity counts a tenth; the first is the score. Default: 0 and 0.9, as NExT-QA
            has it.
        exact: Groups, by division, of which only equal answers are right. Default: NExT-QA's counting and yes-no
            questions, ``{'type': ('DC', 'DB')}``; not for ``form='sets'``.
        nltk_data: Folder of nltk's data. Default: where nltk looks.
        **others: See :class:`AnswerMetric`.
    """

    name = "wups"

    def __init__(
        self,
        form: str = "nextqa",
        thresholds: Sequence[float] = (0.0, 0.9),
        exact: Mapping[str, Sequence[str]] | None = None,
        nltk_data: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        if form not in ("nextqa", "sets"):
            raise ValueError(f"WUPS: form must be 'nextqa' or 'sets', got '{form}'")
        if not thresholds or not all(0 <= threshold <= 1 for threshold in thresholds):
            raise ValueError(f"WUPS: thresholds must be from 0 to 1, at least one, got {list(thresholds)}")
        self.form, self.thresholds = form, tuple(map(float, thresholds))
        default = {"type": ("DC", "DB")} if form == "nextqa" else {}
        self.exact = {division: tuple(groups) for division, groups in (default if exact is None else exact).items()}
        self.wordnet = WordNet(nltk_data)
        similar = self.wordnet.first_similarity if form == "nextqa" else self.wordnet.noun_similarity
        self._measures = [damped(similar, threshold) for threshold in self.thresholds]

    def protocol(self) -> dict[str, Any]:
        exact = {division: list(groups) for division, groups in self.exact.items()}
        settings = {"form": self.form, "thresholds": list(self.thresholds), "exact": exact}
        return super().protocol() | settings | self.wordnet.version

    def judge(self, record: Record) -> dict[str, Any]:
        said = self._read(record["raw"])
        parsed = " ".join(said) if self.form == "nextqa" else ", ".join(said)
        if not normalise_answer(parsed):
            nothing = None if record["answer"] is None else 0.0
            return {"parsed": None, "score": nothing, "wups": [nothing] * len(self.thresholds)}
        if record["answer"] is None:
            return {"parsed": parsed, "score": None, "wups": [None] * len(self.thresholds)}
        right = [self._read(answer) for answer in (record["answer"], *record.get("alternatives", ()))]
        if any(record["groups"].get(division) in groups for division, groups in self.exact.items()):
            values = [float(said in right)] * len(self.thresholds)
        else:
            form = self.form == "nextqa"
            values = [max(wups(said, wanted, measure, passing=form) for wanted in right) for measure in self._measures]
        return {"parsed": parsed, "score": values[0], "wups": values}

    def summarise(self, scored: list[Record]) -> dict[str, float]:
        metrics = super().summarise(scored)
        clusters = [record["cluster"] for record in scored]
        for place, threshold in list(enumerate(self.thresholds))[1:]:
            found = estimate_mean([record["wups"][place] for record in scored], clusters)
            metrics[f"wups_at_{threshold:g}/overall"] = found.mean
        return metrics

    def _read(self, text: str) -> list[str]:
        if self.form == "sets":
            return [item.strip().lower() for item in text.strip(" .\n").split(",")]
        return [word for word in self.wordnet.lemmatise(text) if word not in STOP_WORDS]
