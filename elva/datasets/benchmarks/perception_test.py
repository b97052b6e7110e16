"""Perception Test: multiple choice about filmed experiments (Patraucean et al., NeurIPS 2023, arXiv:2305.13786)."""

from collections.abc import Iterator
from typing import Any

from elva.registry import DATASETS
from elva.structures import Question

from .base import Benchmark
from .rows import Row, json_object


@DATASETS.register_module()
class PerceptionTest(Benchmark):
    """Multiple choice of three: ``mc_question_<split>.json`` and ``videos/<video_id>.mp4``.

    The file is one object, from a video's id to its ``mc_question``, a list of ``{id, question, options, answer_id,
    area, reasoning, tag}``. Ids count within a video, so a question is called ``<video_id>_<id>``. Groups: ``area``
    and ``reasoning``. The answers of the test split are not published.

    Args:
        data_root: The folder.
        split: ``'train'``, ``'valid'`` or ``'test'``. Default: ``'valid'``.
        benchmark: Arguments of :class:`Benchmark`.
    """

    def __init__(self, data_root: str, split: str = "valid", **benchmark: Any) -> None:
        if split not in ("train", "valid", "test"):
            raise ValueError(f"PerceptionTest: split must be 'train', 'valid' or 'test', got '{split}'")
        self.split = split
        super().__init__(data_root, **benchmark)

    def annotation_files(self) -> list[str]:
        return [f"mc_question_{self.split}.json"]

    def load(self) -> list[Question]:
        return [self._question(video, row) for video, row in self._rows()]

    def protocol(self) -> dict[str, Any]:
        return super().protocol() | {"split": self.split}

    def _rows(self) -> Iterator[tuple[str, Row]]:
        path = self.root / self.annotation_files()[0]
        for video, content in json_object(path).items():
            asked = content.get("mc_question") if isinstance(content, dict) else None
            if not isinstance(asked, list) or not all(isinstance(values, dict) for values in asked):
                raise ValueError(f"{path}: video '{video}': expected a list of objects in 'mc_question', got {asked!r}")
            for number, values in enumerate(asked):
                yield video, Row(values, f"{path}: video '{video}': question {number}")

    def _question(self, video: str, row: Row) -> Question:
        options = row.texts("options")
        labelled = row.values.get("answer_id") is not None
        return Question(
            id=f"{video}_{row.text('id')}",
            video=self.find(f"videos/{video}"),
            text=row.text("question"),
            options=options,
            correct=row.whole("answer_id", 0, len(options) - 1) if labelled else None,
            groups={key: row.text(key) for key in ("area", "reasoning") if key in row.values},
        )
