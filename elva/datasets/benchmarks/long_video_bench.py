"""LongVideoBench (Wu et al., NeurIPS 2024, arXiv:2407.15754)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from elva.registry import DATASETS
from elva.structures import Question

from .base import Benchmark
from .rows import Row, json_rows, parquet_rows

FILES = {"val": "lvb_val.json", "test": "lvb_test_wo_gt.json"}
TABLES = {"val": "validation-00000-of-00001.parquet", "test": "test-00000-of-00001.parquet"}
"""The same as tables, where ``candidates`` are the columns ``option0`` to ``option4``, "N/A" where there are fewer."""

_OPTIONS = tuple(f"option{number}" for number in range(5))


@DATASETS.register_module()
class LongVideoBench(Benchmark):
    """Questions with up to five options about videos of 8 seconds to an hour, and what is said in them.

    Layout: ``lvb_val.json`` (1,337 questions) and ``lvb_test_wo_gt.json`` (5,341, without answers), or the same as
    Parquet; ``videos/`` and ``subtitles/``. The publication asks with ``subtitles='interleaved'``.

    Groups: ``duration`` (the longest of its group, in seconds), ``question`` (one of 17 categories), ``topic`` and
    ``level`` (L1 perception, L2 relation). ``submission``: of the test split, ``{id: letter}``.

    Args:
        data_root: The folder.
        split: ``'val'`` or ``'test'``. Default: ``'val'``.
        benchmark: Arguments of :class:`Benchmark`.
    """

    def __init__(self, data_root: str, split: str = "val", **benchmark: Any) -> None:
        if split not in FILES:
            raise ValueError(f"LongVideoBench: split must be 'val' or 'test', got '{split}'")
        self.split = split
        super().__init__(data_root, **benchmark)

    def annotation_files(self) -> list[str]:
        file = self.find([FILES[self.split], TABLES[self.split]], ("",))
        return [file] if self.subtitles == "none" else [file, "subtitles"]

    def load(self) -> list[Question]:
        path = self.root / self.annotation_files()[0]
        rows: Iterator[Row] = json_rows(path) if path.suffix == ".json" else parquet_rows(path)
        return [self._question(row.called(row.text("id"))) for row in rows]

    def protocol(self) -> dict[str, Any]:
        return super().protocol() | {"split": self.split}

    def submission(self, records: Sequence[Mapping[str, Any]]) -> dict[str, str] | None:
        """``{id: letter}``; what the model said where it named no option. None where the answers are published."""
        if self.split == "val":
            return None
        return {r["question_id"]: r["parsed"] or r["raw"] for r in records if not r.get("rotation")}

    def _question(self, row: Row) -> Question:
        options = self._options(row)
        return Question(
            id=row.text("id"),
            video=f"videos/{row.text('video_path')}",
            text=row.text("question"),
            options=options,
            correct=row.whole("correct_choice", 0, len(options) - 1) if self.split == "val" else None,
            subtitles=f"subtitles/{row.text('subtitle_path')}",
            subtitles_from=row.number("starting_timestamp_for_subtitles"),
            groups={
                "duration": row.text("duration_group"),
                "question": row.text("question_category"),
                "topic": row.text("topic_category"),
                "level": row.text("level"),
            },
            cluster=row.text("video_id"),
        )

    @staticmethod
    def _options(row: Row) -> tuple[str, ...]:
        if row.has("candidates"):
            return row.texts("candidates")
        texts = [row.text(key) for key in _OPTIONS]
        count = texts.index("N/A") if "N/A" in texts else len(texts)
        if any(text != "N/A" for text in texts[count:]):
            raise row.wrong(f"an option follows one that is 'N/A': {texts}")
        return tuple(texts[:count])
