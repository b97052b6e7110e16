"""Which frames of a video are read, and at which size."""

from .base import FrameSampler, ResolutionScheduler
from .fixed_resolution import FixedResolution
from .fps import FPSSampler
from .hybrid_resolution import HybridResolution
from .native_resolution import NativeResolution
from .resize import resize_frames
from .segment_centre import SegmentCentreSampler
from .uniform import UniformSampler

__all__ = [
    "FPSSampler",
    "FixedResolution",
    "FrameSampler",
    "HybridResolution",
    "NativeResolution",
    "ResolutionScheduler",
    "SegmentCentreSampler",
    "UniformSampler",
    "resize_frames",
]
