"""From annotation files to batches of samples."""

from .annotations import load_annotations
from .collate import collate_samples
from .conversation import parse_sample
from .mixture import MixtureDataset
from .skips import SkipLog
from .video_text import SkipShareError, VideoTextDataset

__all__ = [
    "MixtureDataset",
    "SkipLog",
    "SkipShareError",
    "VideoTextDataset",
    "collate_samples",
    "load_annotations",
    "parse_sample",
]
