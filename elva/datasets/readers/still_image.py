"""A still image as a video of one frame. Legend: T frames (all the same), H rows, W columns."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath

import numpy as np
from PIL import Image, ImageFile, ImageOps

from elva.structures import VideoMeta

from .base import VideoReadError
from .checks import check_file

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
_ORIENTATION = 0x0112
"""The EXIF tag that says how the camera was held; 5 to 8 are quarter turns."""


def is_image_file(path: str) -> bool:
    """Whether ``path`` names a still image, by its suffix; the file is not looked at."""
    return PurePath(path).suffix.lower() in IMAGE_SUFFIXES


def probe_image(path: str) -> VideoMeta:
    """Return the metadata of an image, as those of a video without duration.

    Raises:
        VideoReadError: If the file is missing, empty or not an image.
    """
    with _open(path) as image:
        width, height = image.size
        if image.getexif().get(_ORIENTATION, 1) >= 5:
            width, height = height, width
        return VideoMeta(path=path, duration=0.0, fps=0.0, height=height, width=width, codec="image")


def read_image(path: str, seconds: Sequence[float] = (0.0,)) -> tuple[np.ndarray, np.ndarray]:
    """Return an upright RGB image once for each of ``seconds``: uint8 (T, H, W, 3), and T zeros.

    Raises:
        VideoReadError: If the file is missing, empty, not an image or cut short.
    """
    with _open(path) as image:
        frame_HWC = np.array(ImageOps.exif_transpose(image).convert("RGB"))
    return np.repeat(frame_HWC[None], len(seconds), axis=0), np.zeros(len(seconds))


@contextmanager
def _open(path: str) -> Iterator[Image.Image]:
    check_file(path)
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # some libraries set it for the whole process
    try:
        with Image.open(path) as image:
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # what PIL raises for bad files
        raise VideoReadError(
            f"{path}: not an image, or a damaged one ({error}). Fetch the file again, or take it out of the annotation."
        ) from error
