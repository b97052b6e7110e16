"""From a raw item to the inputs of the model."""

from .blank_frames import BlankFrames
from .load_video import LoadVideo
from .pack_sample import PackSample
from .tokenize_conversation import TokenizeConversation

__all__ = ["BlankFrames", "LoadVideo", "PackSample", "TokenizeConversation"]
