"""The reader that decodes with PyAV: whatever FFmpeg reads, exactly."""

from collections.abc import Sequence

import numpy as np

from elva.registry import VIDEO_READERS
from elva.structures import VideoMeta

from .base import VideoReader
from .checks import check_seconds, check_timeout
from .probe import probe_file
from .pyav_decode import decode_at
from .still_image import is_image_file, read_image
from .timeout import call_with_timeout


@VIDEO_READERS.register_module()
class PyAVReader(VideoReader):
    """Reads videos with PyAV, and still images as one-frame videos.

    It jumps to the key frame before a wanted time where that skips frames, and stops after the last wanted one.

    Args:
        timeout: The most seconds that one call may take. Default: 20.
        threads: Decoding threads a call. Default: 1, right for data loaders with several workers.
    """

    def __init__(self, timeout: float = 20.0, threads: int = 1) -> None:
        self.timeout = check_timeout(timeout)
        self.threads = threads

    def probe(self, path: str) -> VideoMeta:
        return call_with_timeout(self.timeout, path, probe_file)

    def read(self, path: str, seconds: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        check_seconds(path, seconds)
        if is_image_file(path):
            return call_with_timeout(self.timeout, path, read_image, seconds)
        return call_with_timeout(self.timeout, path, decode_at, seconds, self.threads)
