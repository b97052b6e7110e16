"""MLVU (Zhou et al., CVPR 2025, arXiv:2406.04264)."""

from collections.abc import Sequence
from typing import Any, ClassVar

from elva.registry import DATASETS
from elva.structures import Question

from .base import Benchmark
from .rows import Row, json_rows

CHOICE_TASKS = {
    "plot_qa": "1_plotQA",
    "needle": "2_needle",
    "ego": "3_ego",
    "count": "4_count",
    "order": "5_order",
    "anomaly_recognition": "6_anomaly_reco",
    "topic_reasoning": "7_topic_reasoning",
}
OPEN_TASKS = {"sub_scene": "8_sub_scene", "summary": "9_summary"}
"""Our names of the tasks, and those of their file and their folder of videos."""

_WATCH = "Carefully watch this video and pay attention to every detail. Based on your observations, "


@DATASETS.register_module()
class MLVU(Benchmark):
    """The dev set: seven tasks of multiple choice with four options, and two of long answers.

    Layout: ``json/<task>.json`` and ``video/<task>/``, with the names of :data:`CHOICE_TASKS` and :data:`OPEN_TASKS`.
    The two kinds are asked and scored differently, so a run takes tasks of one kind. The published score of the first
    (M-Avg) is the mean over the seven tasks; that of the second (G-Avg) is a judge's, and takes one.

    Args:
        data_root: The folder.
        tasks: Which ones to ask. Default: the seven of multiple choice.
        prompt: Default: the published one of the kind.
        benchmark: Arguments of :class:`Benchmark`.

    Raises:
        ValueError: If there is no such task, or they are of both kinds.
    """

    default_prompt: ClassVar[dict[str, Any]] = {
        "type": "MultipleChoicePrompt",
        "before": f"{_WATCH}select the best option that accurately addresses the question.",
        "question": "Question: {text}\nOptions:",
        "option": "({letter}) {text}",
        "after": "Only give the best option.",
    }
    open_prompt: ClassVar[dict[str, Any]] = {
        "type": "OpenPrompt",
        "before": f"{_WATCH}answer the given questions.",
        "after": "",
    }
    """The prompt of the tasks of long answers."""

    def __init__(
        self,
        data_root: str,
        tasks: Sequence[str] = tuple(CHOICE_TASKS),
        prompt: dict[str, Any] | None = None,
        **benchmark: Any,
    ) -> None:
        known = CHOICE_TASKS | OPEN_TASKS
        if not tasks or any(task not in known for task in tasks):
            raise ValueError(f"MLVU: tasks must be some of {', '.join(known)}, got {list(tasks)}")
        self.open = tasks[0] in OPEN_TASKS
        if any((task in OPEN_TASKS) != self.open for task in tasks):
            raise ValueError(f"MLVU: {', '.join(OPEN_TASKS)} are scored differently: take them in a run of their own")
        self.files = {task: known[task] for task in tasks}
        super().__init__(data_root, prompt=prompt or (self.open_prompt if self.open else None), **benchmark)

    def annotation_files(self) -> list[str]:
        return [f"json/{file}.json" for file in self.files.values()]

    def load(self) -> list[Question]:
        return [
            self._question(task, number, row)
            for task, file in self.files.items()
            for number, row in enumerate(json_rows(self.root / f"json/{file}.json"))
        ]

    def protocol(self) -> dict[str, Any]:
        return super().protocol() | {"tasks": list(self.files)}

    def _question(self, task: str, number: int, row: Row) -> Question:
        name = f"{task}-{number}"
        row = row.called(name)
        video = f"video/{self.files[task]}/{row.text('video')}"
        shared: dict[str, Any] = {"id": name, "video": video, "text": row.text("question"), "groups": {"task": task}}
        if self.open:
            return Question(**shared, answer=row.text("answer"))
        options = row.texts("candidates")
        return Question(**shared, options=options, correct=row.place("answer", options))
