"""The reader that decodes with decord, where decord is exact, and with PyAV elsewhere."""

from collections.abc import Sequence

import numpy as np

from elva.registry import VIDEO_READERS
from elva.structures import VideoMeta

from .base import VideoReader
from .checks import check_seconds, check_timeout
from .packet_index import PacketIndex, index_packets
from .probe import probe_file
from .pyav_decode import decode_at
from .still_image import is_image_file, read_image
from .timeout import call_with_timeout


@VIDEO_READERS.register_module()
class DecordReader(VideoReader):
    """Reads videos with decord (the ``decord2`` wheel), and still images as one-frame videos.

    decord finds a frame by counting packets from a key frame. Measured with decord2 3.4.0, that gives wrong frames,
    without a word, in open groups of pictures (most HEVC), behind edit lists, in MPEG-TS, MPEG-PS and AVI; and a few
    widths (48, for one) fail altogether. Such files are decoded with PyAV, frame for frame as :class:`PyAVReader`
    does. Times come from the file's packets: decord's own are in single precision.

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
        return call_with_timeout(self.timeout, path, _read, seconds, self.threads)


def _read(path: str, seconds: Sequence[float], threads: int) -> tuple[np.ndarray, np.ndarray]:
    index = index_packets(path)
    if index.countable:
        wanted, copies = np.unique(index.shown_at(seconds), return_inverse=True)
        frames_THWC = _decord_frames(path, wanted, index, threads)
        if frames_THWC is not None:
            repeated = len(copies) > len(wanted)
            return frames_THWC[copies] if repeated else frames_THWC, index.seconds[wanted[copies]]
    return decode_at(path, seconds, threads)


def _decord_frames(path: str, wanted: np.ndarray, index: PacketIndex, threads: int) -> np.ndarray | None:
    """uint8 (T, H, W, 3), or None if decord cannot: PyAV then either can, or says what is wrong with the file."""
    import decord
    from torch.utils.dlpack import from_dlpack

    decord.logging.set_level(decord.logging.QUIET)
    try:
        video = decord.VideoReader(path, num_threads=threads, fault_tol=_NO_FAULT)
        if len(video) != len(index.seconds):
            return None
        batch = video.get_batch(wanted)
    except (decord.DECORDError, decord.DECORDLimitReachedError, RuntimeError):
        return None
    return from_dlpack(batch.to_dlpack()).numpy()  # decord's own asnumpy() would copy


_NO_FAULT = 1e-6
"""The share of frames that decord may replace by copies of others, silently, before it raises."""
