"""The reader of data sets in which some videos are files and others folders of frames."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from elva.registry import VIDEO_READERS
from elva.structures import VideoMeta

from .base import VideoReader


@VIDEO_READERS.register_module()
class FileOrFolderReader(VideoReader):
    """Reads a folder with one reader, and everything else with another.

    Args:
        file: Config of the reader of files.
        folder: Config of the reader of folders, ``dict(type='FrameFolderReader', fps=3)``.
    """

    def __init__(self, file: dict[str, Any], folder: dict[str, Any]) -> None:
        self.file: VideoReader = VIDEO_READERS.build(file)
        self.folder: VideoReader = VIDEO_READERS.build(folder)

    def probe(self, path: str) -> VideoMeta:
        return self._of(path).probe(path)

    def read(self, path: str, seconds: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        return self._of(path).read(path, seconds)

    def _of(self, path: str) -> VideoReader:
        return self.folder if os.path.isdir(path) else self.file
