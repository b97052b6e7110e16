"""Annotation files, read row by row."""

from .base import AnnotationFile
from .json_array import JSONArray
from .json_lines import JSONLines
from .open import open_annotations
from .paths import annotation_paths
from .tar_shard import TarShard

__all__ = ["AnnotationFile", "JSONArray", "JSONLines", "TarShard", "annotation_paths", "open_annotations"]
