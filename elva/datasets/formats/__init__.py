"""The forms that annotations are written in."""

from .alpaca import AlpacaFormat
from .auto import AutoFormat
from .base import SampleFormat
from .caption import CaptionFormat
from .llava import LLaVAFormat
from .messages import MessagesFormat
from .question_answer import QuestionAnswerFormat
from .share_gpt4_video import ShareGPT4VideoFormat
from .video_chat import VideoChatFormat

__all__ = [
    "AlpacaFormat",
    "AutoFormat",
    "CaptionFormat",
    "LLaVAFormat",
    "MessagesFormat",
    "QuestionAnswerFormat",
    "SampleFormat",
    "ShareGPT4VideoFormat",
    "VideoChatFormat",
]
