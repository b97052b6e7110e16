"""The model, and the parts that it is built of."""

from .data_preprocessor import VideoDataPreprocessor
from .video_llm import VideoLLM

__all__ = ["VideoDataPreprocessor", "VideoLLM"]
