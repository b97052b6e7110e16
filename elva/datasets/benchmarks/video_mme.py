"""Video-MME (Fu et al., CVPR 2025, arXiv:2405.21075)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from elva.registry import DATASETS
from elva.structures import Question
from elva.structures.question import LETTERS

from .base import Benchmark
from .rows import Row, parquet_rows

ANNOTATIONS = "videomme/test-00000-of-00001.parquet"
DIVISIONS = {"duration": "duration", "domain": "domain", "sub_category": "sub_category", "task_type": "task"}
"""The file's columns that scores are reported by, and our names of them."""

_HEADS = {"duration_category": "duration", "video_category": "domain", "video_subcategory": "sub_category"}
"""What the publication's evaluation script calls our groups."""

_SELECT = (
    "Select the best answer to the following multiple-choice question based on the video{}. "
    "Respond with only the letter (A, B, C, or D) of the correct option."
)


@DATASETS.register_module()
class VideoMME(Benchmark):
    """2,700 questions with four options about 900 videos of 11 seconds to an hour.

    Layout: ``videomme/test-00000-of-00001.parquet``, ``data/<videoID>.mp4`` (``.MP4``, ``.mkv``; or in ``video/``) and,
    where ``subtitles`` are asked for, ``subtitle/<videoID>.srt``, which 744 videos have. The prompts are the
    benchmark's own. Args: see :class:`Benchmark`.
    """

    default_prompt: ClassVar[dict[str, Any]] = {
        "type": "MultipleChoicePrompt",
        "before": _SELECT.format(""),
        "before_subtitled": _SELECT.format(" and the subtitles"),
        "after": "The best answer is:",
    }
    without_subtitles = "No subtitles available"

    def annotation_files(self) -> list[str]:
        return [ANNOTATIONS] if self.subtitles == "none" else [ANNOTATIONS, "subtitle"]

    def load(self) -> list[Question]:
        return [self._question(row.called(row.text("question_id"))) for row in parquet_rows(self.root / ANNOTATIONS)]

    def submission(self, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The form that the benchmark's own ``evaluation/eval_your_results.py`` reads: the questions of each video."""
        said = {record["question_id"]: record for record in records if not record.get("rotation")}
        videos: dict[str, dict[str, Any]] = {}
        for question in self.questions:
            number = question.id.rpartition("-")[0]
            heads = {head: question.groups[name] for head, name in _HEADS.items()}
            video = videos.setdefault(number, {"video_id": number, **heads, "missing": False, "questions": []})
            video["missing"] |= "error" in said[question.id]
            video["questions"].append(
                {
                    "question_id": question.id,
                    "task_type": question.groups["task"],
                    "question": question.text,
                    "choices": [f"{letter}. {text}" for letter, text in zip(LETTERS, question.options, strict=False)],
                    "answer": question.reference,
                    "response": said[question.id]["raw"],
                }
            )
        return list(videos.values())

    def _question(self, row: Row) -> Question:
        video = row.text("videoID")
        options = tuple(
            text.removeprefix(f"{letter}.").strip() for letter, text in zip(LETTERS, row.texts("options"), strict=False)
        )
        return Question(
            id=row.text("question_id"),
            video=self.find([f"data/{video}", f"video/{video}"]),
            text=row.text("question"),
            options=options,
            correct=row.place("answer", tuple(LETTERS[: len(options)])),
            subtitles=f"subtitle/{video}.srt",
            groups={name: row.text(column) for column, name in DIVISIONS.items()},
        )
