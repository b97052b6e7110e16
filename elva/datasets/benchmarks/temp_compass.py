"""TempCompass: whether models perceive time (Liu et al., Findings of ACL 2024, arXiv:2403.00476)."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from elva.registry import DATASETS
from elva.structures import Question

from .base import Benchmark
from .rows import Row, json_object

YES_NO = ("yes", "no")
BEST = "Please directly give the best option:"
TASKS: dict[str, dict[str, Any]] = {
    "multi-choice": {"type": "MultipleChoicePrompt", "after": BEST},
    "yes_no": {"type": "OpenPrompt", "after": "Please answer yes or no:"},
    "caption_matching": {"type": "MultipleChoicePrompt", "after": BEST},
    "captioning": {"type": "OpenPrompt", "after": ""},
}
"""The forms of task, and the prompt that each is published with."""

_LABELS = {"multi-choice": re.compile(r"([A-Z])\. (.+)"), "caption_matching": re.compile(r"(\w+ \w+): (.+)")}
"""An option as a line of the question: its label and its text."""


@DATASETS.register_module()
class TempCompass(Benchmark):
    """One form of task of the four: ``questions/<task>.json`` and ``videos/<video>.mp4``.

    A file is one object, from a video's name to its temporal aspects, and of each a list of ``{question, answer}``,
    where the question's text has the options in it. ``multi-choice`` and ``caption_matching`` are multiple choice; the
    latter's options come with letters here instead of ``Option 1``, ``Sentence A`` or ``Caption A``, so that all
    replies are read by the same rules. ``yes_no`` is multiple choice between these two words, which are not listed in
    the prompt. ``captioning`` asks for a caption that goes with one of several pieces of information; which one is the
    reference, and only a judge can score it.

    Group: ``aspect`` (action, direction, speed, order, attribute_change). A video and those made from it
    (``<id>_reverse``, and with another one behind it ``<id>_<other>_1``) are one cluster.

    Args:
        data_root: The folder.
        task: One of :data:`TASKS`. Default: ``'multi-choice'``.
        prompt: Default: the published one of the task.
        benchmark: Arguments of :class:`Benchmark`.
    """

    default_prompt: ClassVar[dict[str, Any]] = TASKS["multi-choice"]

    def __init__(
        self, data_root: str, task: str = "multi-choice", prompt: dict[str, Any] | None = None, **benchmark: Any
    ) -> None:
        if task not in TASKS:
            raise ValueError(f"TempCompass: task must be one of {', '.join(TASKS)}, got '{task}'")
        self.task = task
        super().__init__(data_root, prompt=prompt or TASKS[task], **benchmark)

    def annotation_files(self) -> list[str]:
        return [f"questions/{self.task}.json"]

    def load(self) -> list[Question]:
        return [
            Question(
                id=f"{self.task}_{video}_{aspect}_{number}",
                video=self.find(f"videos/{video}"),
                groups={"aspect": aspect},
                cluster=video.partition("_")[0],
                **self._content(row),
            )
            for video, aspect, number, row in self._rows()
        ]

    def protocol(self) -> dict[str, Any]:
        return super().protocol() | {"task": self.task}

    def raw(self, index: int) -> dict[str, Any]:
        item = super().raw(index)
        if self.task == "yes_no" and item["choices"]:  # the prompt shows no letters
            item["choices"] = self.question(index).options
        return item

    def _rows(self) -> Iterator[tuple[str, str, int, Row]]:
        path = self.root / self.annotation_files()[0]
        for video, aspects in json_object(path).items():
            if not isinstance(aspects, dict):
                raise ValueError(f"{path}: video '{video}': expected an object of aspects, got {aspects!r}")
            for aspect, asked in aspects.items():
                where = f"{path}: video '{video}': {aspect}"
                if not isinstance(asked, list) or not all(isinstance(values, dict) for values in asked):
                    raise ValueError(f"{where}: expected a list of questions, got {asked!r}")
                for number, values in enumerate(asked):
                    yield video, aspect, number, Row(values, f"{where}: question {number}")

    def _content(self, row: Row) -> dict[str, Any]:
        """Text, options and right option of a row."""
        if self.task == "captioning":
            return {"text": row.text("question"), "answer": row.text("answer")}
        if self.task == "yes_no":
            return {"text": row.text("question"), "options": YES_NO, "correct": row.place("answer", YES_NO)}
        return _choice(row, _LABELS[self.task])


def _choice(row: Row, label: re.Pattern[str]) -> dict[str, Any]:
    """A question whose text ends with its options, one a line; the answer is one of these lines."""
    text, *lines = row.text("question").split("\n")
    found = [label.fullmatch(line.strip()) for line in lines if line.strip()]
    options = {match[1]: match[2] for match in found if match}
    if len(options) < 2 or len(options) < len(found):
        raise row.wrong(f"expected a line of text and at least two lines of options in 'question', got {lines!r}")
    answer = label.fullmatch(row.text("answer"))
    if answer is None or answer[1] not in options:
        raise row.wrong(f"the 'answer' {row.text('answer')!r} is none of the options {', '.join(options)}")
    return {"text": text, "options": tuple(options.values()), "correct": list(options).index(answer[1])}
