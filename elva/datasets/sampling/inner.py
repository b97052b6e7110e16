"""A fixed number of frames, evenly spread, neither end included."""

from elva.registry import FRAME_SAMPLERS
from elva.structures import FramePlan, VideoMeta

from .base import FrameSampler
from .times import check_positive, frame_count, spread


@FRAME_SAMPLERS.register_module()
class InnerSampler(FrameSampler):
    """Takes the frames ``floor(i * N / (n + 1))``, ``i = 1 ... n``, of a video of N frames, as VLMEvalKit does.

    A video with fewer frames gives each of them once, an image its only one.

    Args:
        num_frames: Frames of a video, n. Default: 8.
    """

    def __init__(self, num_frames: int = 8) -> None:
        check_positive("InnerSampler", num_frames=num_frames)
        self.num_frames = num_frames

    def plan(self, meta: VideoMeta, query: str | None = None) -> FramePlan:
        frames = frame_count(meta)
        if frames <= self.num_frames:
            return FramePlan(spread(meta, frames))
        step = frames / (self.num_frames + 1)
        return FramePlan(tuple(int(step * index) / meta.fps for index in range(1, self.num_frames + 1)))
