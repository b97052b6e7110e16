"""TGIF-QA: questions about animated GIFs (Jang et al., CVPR 2017, arXiv:1704.04497)."""

from collections.abc import Iterator
from typing import Any, ClassVar

from elva.registry import DATASETS
from elva.structures import Question

from .base import VIDEO_SUFFIXES, Benchmark
from .paired import paired_rows
from .prompts import LETTER, SHORT
from .rows import Row, tab_rows

TASKS = ("frameqa", "count", "action", "transition")
FRAME_TYPES = ("object", "number", "color", "location")
"""What the numbers in ``type`` of FrameQA stand for."""

_OPTIONS = ("a1", "a2", "a3", "a4", "a5")
_PROMPTS: dict[str, dict[str, Any]] = {
    "frameqa": {"type": "OpenPrompt", "after": SHORT},
    "count": {"type": "OpenPrompt", "after": "Answer the question with a whole number."},
    "action": {"type": "MultipleChoicePrompt", "after": LETTER},
    "transition": {"type": "MultipleChoicePrompt", "after": LETTER},
}


@DATASETS.register_module()
class TGIFQA(Benchmark):
    """One task of the four.

    ``layout='original'``: ``Test_<task>_question.csv`` (divided by tabs) and ``gifs/<gif_name>.gif``. FrameQA is
    answered with a word, Count with a number from 1 to 10 (10 stands for more, too), Action and Transition are
    multiple choice of five. ``layout='zero_shot'``: FrameQA alone, ``test_q.json`` and ``test_a.json`` matched by
    ``question_id``, and ``mp4/<video_name>.mp4``, as Video-LLaVA publishes it.

    Count has two scores: ``ExactMatch``, and the paper's mean squared error, which is that of ``CountError``. Group of
    FrameQA in the original layout: ``type``.

    Args:
        data_root: The folder with these files.
        task: ``'frameqa'``, ``'count'``, ``'action'`` or ``'transition'``. Default: ``'frameqa'``.
        layout: ``'original'`` or ``'zero_shot'``. Default: ``'zero_shot'``.
        prompt: Default: one for each task.
        benchmark: Arguments of :class:`Benchmark`.
    """

    default_prompt: ClassVar[dict[str, Any]] = _PROMPTS["frameqa"]

    def __init__(
        self,
        data_root: str,
        task: str = "frameqa",
        layout: str = "zero_shot",
        prompt: dict[str, Any] | None = None,
        **benchmark: Any,
    ) -> None:
        if task not in TASKS:
            raise ValueError(f"TGIFQA: task must be one of {', '.join(TASKS)}, got '{task}'")
        if layout not in ("original", "zero_shot"):
            raise ValueError(f"TGIFQA: layout must be 'original' or 'zero_shot', got '{layout}'")
        if layout == "zero_shot" and task != "frameqa":
            raise ValueError(f"TGIFQA: the zero-shot layout has the task 'frameqa' alone; '{task}' takes 'original'")
        self.task, self.layout = task, layout
        super().__init__(data_root, prompt=prompt or _PROMPTS[task], **benchmark)

    def annotation_files(self) -> list[str]:
        return [f"Test_{self.task}_question.csv"] if self.layout == "original" else ["test_q.json", "test_a.json"]

    def load(self) -> list[Question]:
        return list(self._original() if self.layout == "original" else self._zero_shot())

    def protocol(self) -> dict[str, Any]:
        return super().protocol() | {"task": self.task, "layout": self.layout}

    def _zero_shot(self) -> Iterator[Question]:
        for asked, answered in paired_rows(self.root / "test_q.json", self.root / "test_a.json"):
            yield Question(
                id=asked.text("question_id"),
                video=self.find(f"mp4/{asked.text('video_name')}"),
                text=asked.text("question"),
                answer=answered.text("answer"),
            )

    def _original(self) -> Iterator[Question]:
        for row in tab_rows(self.root / self.annotation_files()[0]):
            yield Question(
                id=row.text("vid_id"),
                video=self.find(f"gifs/{row.text('gif_name')}", (".gif", *VIDEO_SUFFIXES)),
                text=row.text("question"),
                **self._answer(row),
            )

    def _answer(self, row: Row) -> dict[str, Any]:
        """What is known of a row's answer."""
        if self.task == "frameqa":
            kind = FRAME_TYPES[row.whole("type", 0, len(FRAME_TYPES) - 1)]
            return {"answer": row.text("answer"), "groups": {"type": kind}}
        if self.task == "count":
            return {"answer": str(row.whole("answer", 1, 10))}
        return {"options": tuple(row.text(key) for key in _OPTIONS), "correct": row.whole("answer", 0, 4)}
