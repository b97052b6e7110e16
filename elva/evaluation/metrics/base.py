"""What every metric of answers promises, and when it refuses to give a score."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric

from elva.structures import VideoQASample

from ..records import Record, record_of
from ..statistics import estimate_mean


class AnswerMetric(BaseMetric):
    """Judges answers one by one, and sums up.

    A sample whose video could not be used is no answer: it is counted in ``coverage``, and where that is below 1 there
    is no headline score (``<name>/overall``), unless ``allow_missing``; then the score is of the rest, and
    ``coverage`` stands beside it. An answer that cannot be parsed is wrong, and counted in ``unparsable``.

    Results: ``<name>/overall``, ``<name>/<division>/<group>`` and ``mean_of_groups/<division>`` (each group counts the
    same, however many questions it has); of the first ``stderr/overall``, ``ci95_low/overall``
    and ``ci95_high/overall`` (clustered by video); ``n``, ``coverage``, ``unparsable``, ``unlabelled``.

    Args:
        group_by: Keys of the annotation by which scores are reported, where it has no ``groups`` of its own.
        allow_missing: Give a headline score although samples are missing. Default: False.
        collect_device: As in MMEngine. Default: ``'cpu'``.
        prefix: As in MMEngine. Default: none.

    Attributes:
        records: After the evaluation, on the main process: the judged record of each sample.
    """

    default_prefix = ""  # MMEngine warns where there is none at all
    name = "accuracy"
    """Name of the score."""

    def __init__(
        self,
        group_by: str | Sequence[str] = (),
        allow_missing: bool = False,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.group_by = (group_by,) if isinstance(group_by, str) else tuple(group_by)
        self.allow_missing = allow_missing
        self.records: list[Record] = []

    @abstractmethod
    def judge(self, record: Record) -> dict[str, Any]:
        """Return what this metric makes of an answer.

        Args:
            record: As :func:`record_of` makes it.

        Returns:
            ``parsed`` (None if the answer cannot be parsed) and ``score`` from 0 to 1 (None without a reference).
        """

    def protocol(self) -> dict[str, Any]:
        """What decides the score beside the answers."""
        return {"metric": type(self).__name__, "allow_missing": self.allow_missing}

    def complete(self, records: list[Record]) -> list[Record]:
        """Return the judged records of all samples, where that takes all of them at once (a judge's queue)."""
        return records

    def units(self, scored: list[Record]) -> list[Record]:
        """Return the records that count one each, of those that have a score."""
        return scored

    def process(self, data_batch: Any, data_samples: Sequence[VideoQASample]) -> None:
        """Judge the samples of one batch."""
        self.results += [self.judged(sample) for sample in data_samples]

    def judged(self, sample: VideoQASample) -> Record:
        """The record of a sample, judged."""
        record = record_of(sample, self.group_by)
        return record | self.judgement(record)

    def judgement(self, record: Record) -> dict[str, Any]:
        """As ``judge``; a record without its video is not judged."""
        return {"parsed": None, "score": None} if "error" in record else self.judge(record)

    def compute_metrics(self, results: list[Record]) -> dict[str, float]:
        """Return the results of all samples."""
        self.records = self.complete(results)
        usable = [record for record in self.records if "error" not in record]
        scored = [record for record in usable if record["score"] is not None]
        metrics: dict[str, float] = {}
        if scored and (len(usable) == len(self.records) or self.allow_missing):
            metrics |= self.summarise(scored)
        return metrics | {
            "n": len(self.records),
            "coverage": len(usable) / len(self.records),
            "unparsable": sum(record["parsed"] is None for record in usable),
            "unlabelled": len(usable) - len(scored),
        }

    def summarise(self, scored: list[Record]) -> dict[str, float]:
        """Return the scores, overall and by group, of records that have one."""
        overall = estimate_mean([r["score"] for r in scored], [r["cluster"] for r in scored])
        metrics = {f"{self.name}/overall": overall.mean}
        divisions: dict[str, list[float]] = {}
        for (division, group), members in divide(scored).items():
            share = sum(r["score"] for r in members) / len(members)
            metrics[f"{self.name}/{division}/{group}"] = share
            divisions.setdefault(division, []).append(share)
        metrics |= {f"mean_of_groups/{name}": sum(shares) / len(shares) for name, shares in divisions.items()}
        if overall.stderr is not None:
            metrics["stderr/overall"] = overall.stderr
        return metrics | {"ci95_low/overall": overall.low, "ci95_high/overall": overall.high}


def divide(records: Sequence[Record]) -> dict[tuple[str, str], list[Record]]:
    """The records of each group, division by division, in the order in which they first appear."""
    divisions: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        for division, group in record["groups"].items():
            divisions.setdefault(division, {}).setdefault(str(group), []).append(record)
    return {(division, group): members for division, found in divisions.items() for group, members in found.items()}
