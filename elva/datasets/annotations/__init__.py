"""Annotation files, read row by row."""

from .base import AnnotationFile
from .json_array import JSONArray
from .json_lines import JSONLines
from .open import open_annotations

__all__ = ["AnnotationFile", "JSONArray", "JSONLines", "open_annotations"]
