"""The forms that annotations are written in."""

from .auto import AutoFormat
from .base import SampleFormat
from .llava import LLaVAFormat

__all__ = ["AutoFormat", "LLaVAFormat", "SampleFormat"]
