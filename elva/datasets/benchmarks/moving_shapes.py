"""The questions of the generated data set MovingShapes (``tools/dataset_tools/make_moving_shapes.py``)."""

from typing import Any, ClassVar

from elva.registry import DATASETS
from elva.structures import Question

from .base import Benchmark
from .rows import Row, json_rows


@DATASETS.register_module()
class MovingShapes(Benchmark):
    """Open questions whose possible answers are known: ``<split>_qa.json`` and ``videos/``.

    The prompt is the question alone, as in training. Group: ``skill``.

    Args:
        data_root: The folder.
        split: ``'val'`` or ``'test'``. Default: ``'test'``.
        multiple_choice: Ask as multiple choice among the possible answers. Default: False.
        prompt: Default: by ``multiple_choice``.
        benchmark: Arguments of :class:`Benchmark`.
    """

    default_prompt: ClassVar[dict[str, Any]] = {"type": "OpenPrompt", "after": ""}

    def __init__(
        self,
        data_root: str,
        split: str = "test",
        multiple_choice: bool = False,
        prompt: dict[str, Any] | None = None,
        **benchmark: Any,
    ) -> None:
        if split not in ("val", "test"):
            raise ValueError(f"MovingShapes: split must be 'val' or 'test', got '{split}'")
        self.split, self.multiple_choice = split, multiple_choice
        usual = Benchmark.default_prompt if multiple_choice else self.default_prompt
        super().__init__(data_root, prompt=prompt or usual, **benchmark)

    def annotation_files(self) -> list[str]:
        return [f"{self.split}_qa.json"]

    def load(self) -> list[Question]:
        return [self._question(row) for row in json_rows(self.root / self.annotation_files()[0])]

    def protocol(self) -> dict[str, Any]:
        return super().protocol() | {"split": self.split, "multiple_choice": self.multiple_choice}

    def _question(self, row: Row) -> Question:
        asked, answered = self._turns_of(row)
        options = row.texts("options")
        correct = Row({"answer": answered}, row.where).place("answer", options)
        return Question(
            id=row.text("id"),
            video=row.text("video"),
            text=asked,
            answer=None if self.multiple_choice else answered,
            options=options,
            correct=correct if self.multiple_choice else None,
            groups={"skill": row.text("skill")},
        )

    @staticmethod
    def _turns_of(row: Row) -> tuple[str, str]:
        """The one question of a row, without the video's tag, and its answer."""
        turns = row.values.get("conversations")
        if not isinstance(turns, list) or [t.get("from") for t in turns if isinstance(t, dict)] != ["human", "gpt"]:
            raise row.wrong(f"expected one turn of 'human' and one of 'gpt' in 'conversations', got {turns!r}")
        asked, answered = (Row(turn, row.where).text("value") for turn in turns)
        return asked.removeprefix("<video>").strip(), answered
