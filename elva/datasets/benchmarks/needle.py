"""Needle in a video haystack: is one picture found in a long video (V-NIAH of LongVA, arXiv:2406.16852)?"""

from typing import Any, ClassVar

from elva.registry import DATASETS
from elva.structures import Question

from .base import Benchmark
from .rows import Row, json_rows


@DATASETS.register_module()
class VideoNeedle(Benchmark):
    """What ``tools/dataset_tools/make_needle.py`` writes: ``needles.json`` and ``videos/``.

    The file is a list of ``{id, video, needle, question, answer, options, length, depth, second, seconds}``:
    ``length`` frames in all, the needle at the share ``depth`` of them, shown at ``second`` for ``seconds``;
    ``options`` where the question can be asked as multiple choice. Groups: ``length`` and ``depth``;
    ``tools/analysis_tools/needle_map.py`` draws the score of each cell. Questions about one needle are one cluster.

    Args:
        data_root: The folder.
        multiple_choice: Ask as multiple choice; every question must have options. Default: False.
        prompt: Default: by ``multiple_choice``.
        benchmark: Arguments of :class:`Benchmark`.
    """

    default_prompt: ClassVar[dict[str, Any]] = {"type": "OpenPrompt"}

    def __init__(
        self,
        data_root: str,
        multiple_choice: bool = False,
        prompt: dict[str, Any] | None = None,
        **benchmark: Any,
    ) -> None:
        self.multiple_choice = multiple_choice
        usual = Benchmark.default_prompt if multiple_choice else self.default_prompt
        super().__init__(data_root, prompt=prompt or usual, **benchmark)

    def annotation_files(self) -> list[str]:
        return ["needles.json"]

    def load(self) -> list[Question]:
        return [self._question(row.called(row.text("id"))) for row in json_rows(self.root / "needles.json")]

    def protocol(self) -> dict[str, Any]:
        return super().protocol() | {"multiple_choice": self.multiple_choice}

    def _question(self, row: Row) -> Question:
        options = row.texts("options") if self.multiple_choice or row.has("options") else ()
        depth = row.number("depth")
        if not 0 <= depth <= 1:
            raise row.wrong(f"'depth' is a share from 0 to 1, got {depth:g}")
        return Question(
            id=row.text("id"),
            video=row.text("video"),
            text=row.text("question"),
            answer=None if self.multiple_choice else row.text("answer"),
            options=options,
            correct=row.place("answer", options) if self.multiple_choice else None,
            groups={"length": str(row.whole("length", low=1)), "depth": f"{depth:g}"},
            cluster=row.text("needle"),
        )
