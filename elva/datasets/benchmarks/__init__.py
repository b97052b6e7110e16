"""Benchmarks in their published layouts."""

from .activitynet_qa import ActivityNetQA
from .base import Benchmark
from .coverage import Coverage
from .egoschema import EgoSchema
from .long_video_bench import LongVideoBench
from .mlvu import MLVU
from .moving_shapes import MovingShapes
from .msrvtt_qa import MSRVTTQA
from .msvd_qa import MSVDQA
from .mvbench import MVBench
from .needle import VideoNeedle
from .next_qa import NExTOE, NExTQA
from .perception_test import PerceptionTest
from .prompts import MultipleChoicePrompt, OpenPrompt, Prompt
from .rows import Row
from .temp_compass import TempCompass
from .tgif_qa import TGIFQA
from .video_mme import VideoMME

__all__ = [
    "MLVU",
    "MSRVTTQA",
    "MSVDQA",
    "TGIFQA",
    "ActivityNetQA",
    "Benchmark",
    "Coverage",
    "EgoSchema",
    "LongVideoBench",
    "MVBench",
    "MovingShapes",
    "MultipleChoicePrompt",
    "NExTOE",
    "NExTQA",
    "OpenPrompt",
    "PerceptionTest",
    "Prompt",
    "Row",
    "TempCompass",
    "VideoMME",
    "VideoNeedle",
]
