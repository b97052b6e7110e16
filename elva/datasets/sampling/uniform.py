"""A fixed number of frames, evenly spread, both ends included."""

from elva.registry import FRAME_SAMPLERS
from elva.structures import FramePlan, VideoMeta

from .base import FrameSampler
from .times import check_positive, spread


@FRAME_SAMPLERS.register_module()
class UniformSampler(FrameSampler):
    """Takes ``num_frames`` times from the first frame to the last, as lmms-eval's ``linspace(0, N - 1, n)`` does.

    A video with fewer frames gives each of them once, an image its only one.

    Args:
        num_frames: Frames of a video. Default: 8.
    """

    def __init__(self, num_frames: int = 8) -> None:
        check_positive("UniformSampler", num_frames=num_frames)
        self.num_frames = num_frames

    def plan(self, meta: VideoMeta, query: str | None = None) -> FramePlan:
        return FramePlan(spread(meta, self.num_frames))
