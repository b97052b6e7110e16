"""Frames at a steady rate."""

import math

from elva.registry import FRAME_SAMPLERS
from elva.structures import FramePlan, VideoMeta

from .base import FrameSampler
from .times import check_positive, frame_count, spread


@FRAME_SAMPLERS.register_module()
class FPSSampler(FrameSampler):
    """Takes a frame at 0, 1/fps, 2/fps, ... seconds.

    Where that is more than ``max_frames`` or fewer than ``min_frames``, so many are spread evenly from the first frame
    to the last, as :class:`UniformSampler` does. No video gives more frames than it has.

    Args:
        fps: Frames per second of video. Default: 1.
        max_frames: The most frames of a video. Default: 64.
        min_frames: The fewest frames of a video that has them. Default: 1.
    """

    def __init__(self, fps: float = 1.0, max_frames: int = 64, min_frames: int = 1) -> None:
        check_positive("FPSSampler", fps=fps, max_frames=max_frames, min_frames=min_frames)
        if min_frames > max_frames:
            raise ValueError(f"FPSSampler: min_frames ({min_frames}) is above max_frames ({max_frames})")
        self.fps = fps
        self.max_frames = max_frames
        self.min_frames = min_frames

    def plan(self, meta: VideoMeta, query: str | None = None) -> FramePlan:
        steady = max(1, math.ceil(meta.duration * self.fps - 1e-6))  # times strictly before the end
        count = min(max(steady, self.min_frames), self.max_frames, frame_count(meta))
        if count != steady:
            return FramePlan(spread(meta, count))
        return FramePlan(tuple(index / self.fps for index in range(count)))
