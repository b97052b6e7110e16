"""The forms that annotations are written in."""

from .auto import AutoFormat
from .base import SampleFormat
from .caption import CaptionFormat
from .llava import LLaVAFormat

__all__ = ["AutoFormat", "CaptionFormat", "LLaVAFormat", "SampleFormat"]
