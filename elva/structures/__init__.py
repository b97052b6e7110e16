"""What travels through the toolkit: data, with no behaviour beyond reshaping itself."""

from .frame_plan import Clip, FramePlan, VideoMeta
from .question import LETTERS, Question
from .sample import VideoQASample
from .sequence_state import ASKS, PAD_RANK, SequenceState
from .source_map import SourceMap
from .video_tokens import Kind, VideoTokens

__all__ = [
    "ASKS",
    "LETTERS",
    "PAD_RANK",
    "Clip",
    "FramePlan",
    "Kind",
    "Question",
    "SequenceState",
    "SourceMap",
    "VideoMeta",
    "VideoQASample",
    "VideoTokens",
]
