"""Reading frames of videos, frame folders and still images by time."""

from .base import VideoReader, VideoReadError
from .decord_reader import DecordReader
from .file_or_folder import FileOrFolderReader
from .frame_folder import FrameFolderReader
from .pyav_reader import PyAVReader
from .still_image import is_image_file
from .timeout import call_with_timeout

__all__ = [
    "DecordReader",
    "FileOrFolderReader",
    "FrameFolderReader",
    "PyAVReader",
    "VideoReadError",
    "VideoReader",
    "call_with_timeout",
    "is_image_file",
]
