"""Benchmarks in their published layouts."""

from .activitynet_qa import ActivityNetQA
from .base import Benchmark, Coverage
from .moving_shapes import MovingShapes
from .msrvtt_qa import MSRVTTQA
from .msvd_qa import MSVDQA
from .needle import VideoNeedle
from .perception_test import PerceptionTest
from .prompts import MultipleChoicePrompt, OpenPrompt, Prompt
from .temp_compass import TempCompass
from .tgif_qa import TGIFQA

__all__ = [
    "MSRVTTQA",
    "MSVDQA",
    "TGIFQA",
    "ActivityNetQA",
    "Benchmark",
    "Coverage",
    "MovingShapes",
    "MultipleChoicePrompt",
    "OpenPrompt",
    "PerceptionTest",
    "Prompt",
    "TempCompass",
    "VideoNeedle",
]
