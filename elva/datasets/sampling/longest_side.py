"""Every video in its own aspect, its longer side within a limit in pixels."""

from dataclasses import replace

from elva.registry import RESOLUTION_SCHEDULERS
from elva.structures import FramePlan, VideoMeta

from .base import ResolutionScheduler
from .times import check_positive


@RESOLUTION_SCHEDULERS.register_module()
class LongestSide(ResolutionScheduler):
    """Shrinks frames until the longer side fits; never enlarges them, and knows of no patches.

    For models that cut frames into patches themselves, such as those behind an HTTP endpoint.

    Args:
        max_side: The most pixels of the longer side. Default: 512.
    """

    def __init__(self, max_side: int = 512) -> None:
        check_positive("LongestSide", max_side=max_side)
        self.max_side = max_side

    def assign(self, plan: FramePlan, meta: VideoMeta) -> FramePlan:
        scale = min(1.0, self.max_side / max(meta.height, meta.width))
        size = (max(1, round(meta.height * scale)), max(1, round(meta.width * scale)))
        return replace(plan, sizes=(size,) * len(plan))
