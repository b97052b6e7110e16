"""What every video reader promises."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from elva.structures import VideoMeta


class VideoReadError(ValueError):
    """A video that cannot be read; the message names the file, what is wrong with it and what to do."""


class VideoReader(ABC):
    """Reads metadata without decoding, and frames by time rather than by a container's frame count.

    Every reader returns, for a time ``t``, the frame that a player shows at ``t``: the last one whose presentation
    time (counted from the first frame's) is not after ``t``, and the last frame of all for a later ``t``. Frames are
    upright RGB. So two readers agree on every file that both can decode.
    """

    @abstractmethod
    def probe(self, path: str) -> VideoMeta:
        """Return the metadata of ``path`` without decoding its frames.

        Raises:
            VideoReadError: If the file is missing, empty, not a video, or has no video stream.
        """

    @abstractmethod
    def read(self, path: str, seconds: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        """Return the frames shown at ``seconds``.

        Args:
            path: A file (or a folder, for folder readers).
            seconds: (T,) non-decreasing times since the first frame.

        Returns:
            uint8 frames (T, H, W, 3) in RGB, and their true presentation times (T,) in seconds.

        Raises:
            VideoReadError: If the file cannot be decoded, or not within the reader's time-out.
        """
