"""What MSVD-QA and MSRVTT-QA share (Xu et al., ACM Multimedia 2017): two layouts of open questions."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from elva.structures import Question

from .base import Benchmark
from .paired import paired_rows
from .rows import Row, json_rows

LAYOUTS = ("original", "zero_shot")
WORDS = ("what", "who", "how", "when", "where")
"""First words of questions, the columns of the paper's tables."""


class VideoQA(Benchmark):
    """Open questions with one-word answers.

    ``layout='original'``: ``<split>_qa.json``, a list of ``{id, video_id, question, answer}`` whose ``video_id`` is a
    number. ``layout='zero_shot'``: ``test_q.json`` and ``test_a.json``, as Video-LLaVA publishes the test questions
    for models that were not trained on them; question and answer are matched by ``question_id`` (Video-LLaVA's own
    script matches by place in the list). Group: ``question``, its first word.

    Args:
        data_root: The folder with these files.
        layout: ``'original'`` or ``'zero_shot'``. Default: ``'zero_shot'``.
        split: ``'train'``, ``'val'`` or ``'test'``; the zero-shot layout has ``'test'`` alone. Default: ``'test'``.
        videos: Folder of the videos, relative to ``data_root``. Default: as in :attr:`video_folders`.
        benchmark: Arguments of :class:`Benchmark`.
    """

    default_prompt: ClassVar[dict[str, Any]] = {"type": "OpenPrompt"}
    video_folders: ClassVar[dict[str, str]]
    """Folder of the videos in each layout."""

    def __init__(
        self,
        data_root: str,
        layout: str = "zero_shot",
        split: str = "test",
        videos: str | None = None,
        **benchmark: Any,
    ) -> None:
        name = type(self).__name__
        if layout not in LAYOUTS:
            raise ValueError(f"{name}: layout must be one of {', '.join(LAYOUTS)}, got '{layout}'")
        splits = ("train", "val", "test") if layout == "original" else ("test",)
        if split not in splits:
            raise ValueError(f"{name}: split must be one of {', '.join(splits)} in layout '{layout}', got '{split}'")
        self.layout, self.split = layout, split
        self.videos = self.video_folders[layout] if videos is None else videos
        super().__init__(data_root, **benchmark)

    @abstractmethod
    def video_stem(self, row: Row) -> str:
        """Name of a question's video in the original layout, without suffix."""

    def annotation_files(self) -> list[str]:
        return [f"{self.split}_qa.json"] if self.layout == "original" else ["test_q.json", "test_a.json"]

    def load(self) -> list[Question]:
        return list(self._original() if self.layout == "original" else self._zero_shot())

    def protocol(self) -> dict[str, Any]:
        return super().protocol() | {"layout": self.layout, "split": self.split}

    def groups(self, row: Row) -> dict[str, str]:
        """Groups of a question."""
        word = row.text("question").split()[0].lower()
        return {"question": word if word in WORDS else "other"}

    def _original(self) -> Iterator[Question]:
        for row in json_rows(self.root / f"{self.split}_qa.json"):
            yield self._question(row.text("id"), self.video_stem(row), row, row)

    def _zero_shot(self) -> Iterator[Question]:
        for asked, answered in paired_rows(self.root / "test_q.json", self.root / "test_a.json"):
            yield self._question(asked.text("question_id"), asked.text("video_name"), asked, answered)

    def _question(self, name: str, stem: str, asked: Row, answered: Row) -> Question:
        return Question(
            id=name,
            video=self.find(f"{self.videos}/{stem}"),
            text=asked.text("question"),
            answer=answered.text("answer"),
            groups=self.groups(asked),
        )
