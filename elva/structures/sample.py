"""What goes beside the tensors of one sample: the question, the answer, and what the model made of it."""

from dataclasses import dataclass, field
from typing import Any

from .frame_plan import FramePlan


@dataclass
class VideoQASample:
    """One question about one or more videos (or one caption task).

    Attributes:
        id: The annotation's id.
        question: The prompt's text as the user wrote it, placeholders included.
        answer: The reference answer; empty where there is none.
        videos: Paths, in the order of their placeholders.
        plans: The frame plan of each video.
        choices: Letters of the options, where the answer is to be the likeliest of them instead of generated text.
        meta: Every other key of the annotation (skill, options, ...), untouched; metrics read it.
        prediction: The model's answer; filled in by ``VideoLLM`` in mode ``'predict'``.
        stats: Numbers of this prediction (tokens per layer, ...).
    """

    id: str
    question: str = ""
    answer: str = ""
    videos: tuple[str, ...] = ()
    plans: tuple[FramePlan, ...] = ()
    choices: tuple[str, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)
    prediction: str | None = None
    stats: dict[str, Any] = field(default_factory=dict)
