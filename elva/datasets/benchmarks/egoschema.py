"""EgoSchema (Mangalam et al., NeurIPS 2023, arXiv:2308.09126)."""

from collections.abc import Mapping, Sequence
from typing import Any

from elva.registry import DATASETS
from elva.structures import Question
from elva.structures.question import LETTERS

from .base import Benchmark
from .rows import Row, json_object, json_rows


@DATASETS.register_module()
class EgoSchema(Benchmark):
    """5,031 questions with five options about three minutes of egocentric video each.

    Layout: ``questions.json``, ``subset_answers.json`` (the published answers, 500) and ``videos/<q_uid>.mp4``. The
    others are scored by the benchmark's server: ``submission`` is what it takes, ``{q_uid: index}``.

    Args:
        data_root: The folder.
        subset: Ask those with a published answer alone. Default: True.
        benchmark: Arguments of :class:`Benchmark`.
    """

    def __init__(self, data_root: str, subset: bool = True, **benchmark: Any) -> None:
        self.subset = subset
        super().__init__(data_root, **benchmark)

    def annotation_files(self) -> list[str]:
        return ["questions.json", "subset_answers.json"]

    def load(self) -> list[Question]:
        path = self.root / "subset_answers.json"
        answers = Row(json_object(path), str(path))
        rows: dict[str, Row] = {}
        for row in json_rows(self.root / "questions.json"):
            name = row.text("q_uid")
            if name in rows:
                raise row.called(name).wrong(f"stood in {rows[name].where} already")
            rows[name] = row
        unknown = [name for name in answers.values if name not in rows]
        if unknown:
            raise answers.wrong(f"question '{unknown[0]}' is not in {self.root / 'questions.json'}")
        return [
            self._question(name, row.called(name), answers)
            for name, row in rows.items()
            if name in answers.values or not self.subset
        ]

    def protocol(self) -> dict[str, Any]:
        return super().protocol() | {"subset": self.subset}

    def submission(self, records: Sequence[Mapping[str, Any]]) -> dict[str, int] | None:
        """``{q_uid: index}``; -1 where the model named no option. None of the subset, which needs no server."""
        if self.subset:
            return None
        asked = [record for record in records if not record.get("rotation")]
        return {r["question_id"]: LETTERS.index(r["parsed"]) if r["parsed"] else -1 for r in asked}

    def _question(self, name: str, row: Row, answers: Row) -> Question:
        return Question(
            id=name,
            video=self.find(f"videos/{name}"),
            text=row.text("question"),
            options=tuple(row.text(f"option {number}") for number in range(5)),
            correct=answers.whole(name, 0, 4) if name in answers.values else None,
        )
