"""What is said in a video, and how it comes to the model."""

from .cut import cut
from .json_file import read_json_subtitles
from .modes import SUBTITLE_MODES, subtitled
from .srt_file import read_srt
from .subtitle import Subtitle

__all__ = ["SUBTITLE_MODES", "Subtitle", "cut", "read_json_subtitles", "read_srt", "subtitled"]
