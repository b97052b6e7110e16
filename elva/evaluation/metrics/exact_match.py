"""Accuracy of short answers."""

import json
import re
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.evaluator import BaseMetric

from elva.registry import METRICS
from elva.structures import VideoQASample

from ..chance import chance

_PUNCTUATION = str.maketrans(string.punctuation, " " * len(string.punctuation))
_ARTICLES = re.compile(r"\b(a|an|the)\b")


@METRICS.register_module()
class ExactMatch(BaseMetric):
    """Share of the answers that equal the reference, whatever their case, punctuation, articles and spaces.

    An empty answer is wrong, and so is every answer to a sample whose video could not be read (``stats['error']``).

    Results: ``accuracy/overall``, ``accuracy/<group>``, ``n``, ``skipped``, and, where annotations have ``options``,
    ``chance/overall`` and ``chance/<group>``.

    Args:
        group_by: Key of the annotation by which accuracy is reported. Default: ``'skill'``.
        out: JSON file for ``records``. Default: none.
        collect_device: As in MMEngine. Default: ``'cpu'``.
        prefix: As in MMEngine. Default: none.

    Attributes:
        records: After ``evaluate``, on the main process: a dict for each sample, with ``id``, ``question``, ``answer``,
            ``prediction``, ``skill`` (the group), ``correct``, ``options`` and ``stats``.
    """

    def __init__(
        self, group_by: str = "skill", out: str | None = None, collect_device: str = "cpu", prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.group_by = group_by
        self.out = out
        self.records: list[dict[str, Any]] = []

    def process(self, data_batch: Any, data_samples: Sequence[VideoQASample]) -> None:
        """Judge the samples of one batch."""
        self.results += [self._judge(sample) for sample in data_samples]

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Return the results of all samples."""
        self.records = results
        if self.out is not None:
            Path(self.out).parent.mkdir(parents=True, exist_ok=True)
            Path(self.out).write_text(
                json.dumps(results, indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf-8"
            )
        groups = {"overall": results}
        for record in results:
            if record["skill"] is not None:
                groups.setdefault(record["skill"], []).append(record)
        metrics = {f"accuracy/{name}": sum(r["correct"] for r in group) / len(group) for name, group in groups.items()}
        metrics |= {f"chance/{name}": value for name, value in chance(results).items()}
        skipped = sum("error" in record["stats"] for record in results)
        return metrics | {"n": len(results), "skipped": skipped}

    def _judge(self, sample: VideoQASample) -> dict[str, Any]:
        prediction = sample.prediction or ""
        said = normalise_answer(prediction)
        correct = bool(said) and said == normalise_answer(sample.answer) and "error" not in sample.stats
        skill = sample.meta.get(self.group_by)
        return {
            "id": sample.id,
            "question": sample.question,
            "answer": sample.answer,
            "prediction": prediction,
            "skill": None if skill is None else str(skill),
            "correct": correct,
            "options": sample.meta.get("options"),
            "stats": sample.stats,
        }


def normalise_answer(text: str) -> str:
    """Lower case, without punctuation, articles and extra spaces; an answer that is nothing but an article stays."""
    plain = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", plain).split()) or " ".join(plain.split())
