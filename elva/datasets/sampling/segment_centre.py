"""A fixed number of frames, from the centres of equal parts of the video."""

from elva.registry import FRAME_SAMPLERS
from elva.structures import FramePlan, VideoMeta

from .base import FrameSampler
from .times import check_positive, frame_count


@FRAME_SAMPLERS.register_module()
class SegmentCentreSampler(FrameSampler):
    """Cuts the video into ``num_frames`` equal parts and takes the centre of each, the rule of MVBench.

    A video with fewer frames gives each of them once, an image its only one.

    Args:
        num_frames: Frames of a video. Default: 8.
    """

    def __init__(self, num_frames: int = 8) -> None:
        check_positive("SegmentCentreSampler", num_frames=num_frames)
        self.num_frames = num_frames

    def plan(self, meta: VideoMeta, query: str | None = None) -> FramePlan:
        count = min(self.num_frames, frame_count(meta))
        return FramePlan(tuple((index + 0.5) / count * meta.duration for index in range(count)))
