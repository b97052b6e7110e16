"""The reader of videos that are stored as one image a frame. Legend: T frames, H rows, W columns."""

import os
import re
from collections.abc import Sequence

import numpy as np

from elva.registry import VIDEO_READERS
from elva.structures import VideoMeta

from .base import VideoReader, VideoReadError
from .checks import check_seconds, check_timeout
from .still_image import is_image_file, probe_image, read_image
from .timeout import call_with_timeout


@VIDEO_READERS.register_module()
class FrameFolderReader(VideoReader):
    """Reads a folder of images as one video, in natural order (``frame_2.jpg`` before ``frame_10.jpg``).

    A single image is a one-frame video, as for the other readers.

    Args:
        fps: The images' frame rate: a folder does not state it (MVBench's folders have 3).
        timeout: The most seconds that one call may take. Default: 20.
    """

    def __init__(self, fps: float, timeout: float = 20.0) -> None:
        if not fps > 0:
            raise ValueError(f"FrameFolderReader: fps must be positive, got {fps}")
        self.fps = fps
        self.timeout = check_timeout(timeout)

    def probe(self, path: str) -> VideoMeta:
        return call_with_timeout(self.timeout, path, _probe, self.fps)

    def read(self, path: str, seconds: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        check_seconds(path, seconds)
        return call_with_timeout(self.timeout, path, _read, seconds, self.fps)


def _probe(path: str, fps: float) -> VideoMeta:
    if is_image_file(path):
        return probe_image(path)
    frames = _frame_files(path)
    first = probe_image(frames[0])
    return VideoMeta(path, len(frames) / fps, fps, first.height, first.width, codec="frames")


def _read(path: str, seconds: Sequence[float], fps: float) -> tuple[np.ndarray, np.ndarray]:
    if is_image_file(path):
        return read_image(path, seconds)
    files = _frame_files(path)
    wanted_T = np.clip(np.floor(np.asarray(seconds) * fps + _ROUNDING), 0, len(files) - 1).astype(int)
    images = {number: read_image(files[number])[0][0] for number in dict.fromkeys(wanted_T.tolist())}
    first = images[wanted_T[0]]
    for number, image in images.items():
        if image.shape != first.shape:
            raise VideoReadError(
                f"{files[number]}: is {image.shape[1]}x{image.shape[0]}, other frames of the folder are "
                f"{first.shape[1]}x{first.shape[0]}. Frames of one video must have one size."
            )
    return np.stack([images[number] for number in wanted_T.tolist()]), wanted_T / fps


_ROUNDING = 1e-6
"""In frames: times computed as ``k / fps`` must find frame ``k``."""


def _frame_files(path: str) -> list[str]:
    try:
        names = [name for name in os.listdir(path) if is_image_file(name)]
    except OSError as error:
        raise VideoReadError(
            f"{path}: is not a folder of frames ({error.strerror}). Check the path in the annotation; "
            f"DecordReader and PyAVReader read video files."
        ) from error
    if not names:
        raise VideoReadError(f"{path}: holds no images (.jpg, .jpeg, .png, .webp, .bmp).")
    return [os.path.join(path, name) for name in sorted(names, key=_natural)]


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A sorting key that compares runs of digits as numbers."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name)]
