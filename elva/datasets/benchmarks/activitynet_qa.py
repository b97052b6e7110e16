"""ActivityNet-QA: open questions about web videos of people's activities (Yu et al., AAAI 2019, arXiv:1906.02467)."""

from typing import Any, ClassVar

from elva.registry import DATASETS
from elva.structures import Question

from .base import Benchmark
from .paired import paired_rows

TYPES = ("motion", "spatial", "temporal", "yes/no", "color", "object", "location", "number", "other")
"""What the numbers in ``type`` stand for; from 3 on, the answers of what the paper calls free questions."""


@DATASETS.register_module()
class ActivityNetQA(Benchmark):
    """Open questions in the repository's layout: ``<split>_q.json``, ``<split>_a.json`` and a folder of videos.

    ``all_test/v_<video_name>.mp4`` (or ``.mkv``, ``.webm``) is where lmms-eval and Video-LLaVA keep the test videos.
    Groups: ``type`` (one of nine) and ``question`` (motion, spatial, temporal, free), the rows of the paper's tables.
    The questions are published without a question mark; they get one, as in lmms-eval.

    Args:
        data_root: The folder.
        split: ``'train'``, ``'val'`` or ``'test'``. Default: ``'test'``.
        videos: Folder of the videos, relative to ``data_root``. Default: ``'all_test'``.
        benchmark: Arguments of :class:`Benchmark`.
    """

    default_prompt: ClassVar[dict[str, Any]] = {"type": "OpenPrompt"}

    def __init__(self, data_root: str, split: str = "test", videos: str = "all_test", **benchmark: Any) -> None:
        if split not in ("train", "val", "test"):
            raise ValueError(f"ActivityNetQA: split must be 'train', 'val' or 'test', got '{split}'")
        self.split, self.videos = split, videos
        super().__init__(data_root, **benchmark)

    def annotation_files(self) -> list[str]:
        return [f"{self.split}_q.json", f"{self.split}_a.json"]

    def load(self) -> list[Question]:
        questions = []
        for asked, answered in paired_rows(*(self.root / name for name in self.annotation_files())):
            kind = answered.whole("type", 0, len(TYPES) - 1)
            questions.append(
                Question(
                    id=asked.text("question_id"),
                    video=self.find(f"{self.videos}/v_{asked.text('video_name')}"),
                    text=asked.text("question").removesuffix("?").rstrip() + "?",
                    answer=answered.text("answer"),
                    groups={"type": TYPES[kind], "question": TYPES[kind] if kind < 3 else "free"},
                )
            )
        return questions

    def protocol(self) -> dict[str, Any]:
        return super().protocol() | {"split": self.split}
