"""From annotation files to batches of samples."""

from .annotations import open_annotations
from .collate import collate_samples
from .conversation import parse_sample
from .item_dataset import ItemDataset, SkipShareError
from .mixture import MixtureDataset
from .mixture_file import MixtureFile
from .skips import SkipLog
from .video_text import VideoTextDataset

__all__ = [
    "ItemDataset",
    "MixtureDataset",
    "MixtureFile",
    "SkipLog",
    "SkipShareError",
    "VideoTextDataset",
    "collate_samples",
    "open_annotations",
    "parse_sample",
]
