"""What frame samplers and resolution schedulers promise."""

from abc import ABC, abstractmethod

from elva.structures import FramePlan, VideoMeta


class FrameSampler(ABC):
    """Chooses the times at which a video is read."""

    @abstractmethod
    def plan(self, meta: VideoMeta, query: str | None = None) -> FramePlan:
        """Return the times to read, in seconds since the first frame, rising; sizes are left empty.

        Args:
            meta: The video's metadata.
            query: The question, for samplers that choose by it. Default: none.
        """


class ResolutionScheduler(ABC):
    """Chooses the size of each frame of a plan."""

    @abstractmethod
    def assign(self, plan: FramePlan, meta: VideoMeta) -> FramePlan:
        """Return ``plan`` with a size for each frame (and, for schedulers with a token budget, fewer frames)."""
