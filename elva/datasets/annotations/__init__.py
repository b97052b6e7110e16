"""Annotation files, read row by row."""

from .base import AnnotationFile
from .hf_dataset import HFDataset
from .json_array import JSONArray
from .json_lines import JSONLines
from .open import open_annotations
from .paths import annotation_paths
from .table import Table
from .tar_shard import TarShard

__all__ = [
    "AnnotationFile",
    "HFDataset",
    "JSONArray",
    "JSONLines",
    "Table",
    "TarShard",
    "annotation_paths",
    "open_annotations",
]
