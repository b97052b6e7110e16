"""What every reader checks before it touches a decoder."""

import os
import stat
from collections.abc import Sequence
from itertools import pairwise

from .base import VideoReadError


def check_file(path: str) -> None:
    """Raise :class:`VideoReadError` if ``path`` is missing, a folder or empty."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise VideoReadError(
            f"{path}: cannot be found ({error.strerror}). Check the path in the annotation and the data root."
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise VideoReadError(f"{path}: is a folder, not a file. FrameFolderReader reads folders of frames.")
    if stat.S_ISREG(status.st_mode) and status.st_size == 0:
        raise VideoReadError(f"{path}: is empty (0 bytes). Fetch the file again.")


def check_seconds(path: str, seconds: Sequence[float]) -> None:
    """Raise ``ValueError`` if ``seconds`` is empty or falls: readers go through a video once, forwards."""
    if len(seconds) == 0 or any(later < earlier for earlier, later in pairwise(seconds)):
        raise ValueError(f"{path}: the times to read must be non-decreasing, and at least one, got {list(seconds)}")


def check_timeout(timeout: float) -> float:
    """Return ``timeout``, or raise ``ValueError`` if it is not a positive number of seconds."""
    if not timeout > 0:
        raise ValueError(f"timeout must be a positive number of seconds, got {timeout}")
    return timeout
