"""MVBench (Li et al., CVPR 2024, arXiv:2311.17005)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from elva.registry import DATASETS
from elva.structures import Question

from .base import Benchmark
from .rows import Row, json_rows


@dataclass(frozen=True)
class Task:
    """Where a task's videos are, and whether its questions are about a part of them."""

    folder: str
    bounded: bool = False


TASKS = {
    "action_sequence": Task("star/Charades_v1_480", bounded=True),
    "action_prediction": Task("star/Charades_v1_480", bounded=True),
    "action_antonym": Task("ssv2_video"),
    "fine_grained_action": Task("Moments_in_Time_Raw/videos"),
    "unexpected_action": Task("FunQA_test/test"),
    "object_existence": Task("clevrer/video_validation"),
    "object_interaction": Task("star/Charades_v1_480", bounded=True),
    "object_shuffle": Task("perception/videos"),
    "moving_direction": Task("clevrer/video_validation"),
    "action_localization": Task("sta/sta_video", bounded=True),
    "scene_transition": Task("scene_qa/video"),
    "action_count": Task("perception/videos"),
    "moving_count": Task("clevrer/video_validation"),
    "moving_attribute": Task("clevrer/video_validation"),
    "state_change": Task("perception/videos"),
    "fine_grained_pose": Task("nturgbd"),
    "character_order": Task("perception/videos"),
    "egocentric_navigation": Task("vlnqa"),
    "episodic_reasoning": Task("tvqa/frames_fps3_hq", bounded=True),
    "counterfactual_inference": Task("clevrer/video_validation"),
}
"""The tasks, in the order of the published evaluation code."""

FOLDER_FPS = 3.0
"""Frame rate of the videos that are folders of frames (TVQA's)."""


@DATASETS.register_module()
class MVBench(Benchmark):
    """20 tasks of 200 questions with three to five options, about short clips.

    Layout: ``json/<task>.json`` and ``video/``, with the videos of each task where :data:`TASKS` says (or, those of
    CLEVRER and STAR, below ``video/data0613/``, as the second release unpacks them). Videos of episodic reasoning are
    folders of frames. In five tasks a row has ``start`` and ``end``: that part of the video is looked at, unless it is
    empty.

    Args:
        data_root: The folder.
        tasks: Which ones to ask. Default: all 20.
        benchmark: Arguments of :class:`Benchmark`.

    Raises:
        ValueError: If there is no such task.
    """

    default_prompt: ClassVar[dict[str, Any]] = {
        "type": "MultipleChoicePrompt",
        "question": "Question: {text}\nOptions:",
        "option": "({letter}) {text}",
        "after": "Only give the best option.",
    }

    def __init__(self, data_root: str, tasks: Sequence[str] = tuple(TASKS), **benchmark: Any) -> None:
        unknown = [task for task in tasks if task not in TASKS]
        if unknown or not tasks:
            raise ValueError(f"MVBench: tasks must be some of {', '.join(TASKS)}, got {list(tasks)}")
        self.tasks = tuple(tasks)
        super().__init__(data_root, **benchmark)

    def annotation_files(self) -> list[str]:
        return [f"json/{task}.json" for task in self.tasks]

    def load(self) -> list[Question]:
        return [
            self._question(task, number, row)
            for task, name in zip(self.tasks, self.annotation_files(), strict=True)
            for number, row in enumerate(json_rows(self.root / name))
        ]

    def reader(self, reader: dict[str, Any]) -> dict[str, Any]:
        folder = {"type": "FrameFolderReader", "fps": FOLDER_FPS}
        return {"type": "FileOrFolderReader", "file": reader, "folder": folder}

    def protocol(self) -> dict[str, Any]:
        return super().protocol() | {"tasks": list(self.tasks), "folder_fps": FOLDER_FPS}

    def _question(self, task: str, number: int, row: Row) -> Question:
        name = f"{task}-{number}"
        row = row.called(name)
        options = row.texts("candidates")
        path = f"{TASKS[task].folder}/{row.text('video')}"
        return Question(
            id=name,
            video=self.find([f"video/{path}", f"video/data0613/{path}"], ("",)),
            text=row.text("question"),
            options=options,
            correct=row.place("answer", options),
            bounds=self._bounds(row) if TASKS[task].bounded else None,
            groups={"task": task},
        )

    @staticmethod
    def _bounds(row: Row) -> tuple[float, float] | None:
        start, end = row.number("start"), row.number("end")
        return (start, end) if start < end else None  # also where one of them is not a number
