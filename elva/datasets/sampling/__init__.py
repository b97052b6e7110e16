"""Which frames of a video are read, and at which size."""

from .base import FrameSampler, ResolutionScheduler
from .fixed_resolution import FixedResolution
from .fps import FPSSampler
from .frame_rules import FRAME_RULES, frame_rule
from .hybrid_resolution import HybridResolution
from .inner import InnerSampler
from .longest_side import LongestSide
from .native_resolution import NativeResolution
from .resize import resize_frames
from .segment_centre import SegmentCentreSampler
from .uniform import UniformSampler

__all__ = [
    "FRAME_RULES",
    "FPSSampler",
    "FixedResolution",
    "FrameSampler",
    "HybridResolution",
    "InnerSampler",
    "LongestSide",
    "NativeResolution",
    "ResolutionScheduler",
    "SegmentCentreSampler",
    "UniformSampler",
    "frame_rule",
    "resize_frames",
]
