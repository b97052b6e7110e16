"""Finds the format of each row by its keys."""

from collections.abc import Mapping, Sequence
from typing import Any

from elva.registry import SAMPLE_FORMATS

from .base import SampleFormat
from .build import build_format

FORMATS: tuple[str | dict[str, Any], ...] = (
    "MessagesFormat",
    "LLaVAFormat",
    "VideoChatFormat",
    "ShareGPT4VideoFormat",
    "AlpacaFormat",
    {
        "type": "AlpacaFormat",
        "columns": {"prompt": "query", "query": "", "response": "response"},
    },  # ms-swift before 2.5
    "QuestionAnswerFormat",
    {"type": "QuestionAnswerFormat", "question": "question", "answer": "answer", "video": None},
    "CaptionFormat",
    {"type": "CaptionFormat", "video": "{page_dir}/{videoid}.mp4", "caption": "name", "id": "videoid"},  # WebVid
)
"""What is tried, in this order."""


@SAMPLE_FORMATS.register_module()
class AutoFormat(SampleFormat):
    """Reads each row in the first format that fits its keys.

    Args:
        formats: The formats to try, in this order: names or configs. Default: all that the toolkit has.
    """

    def __init__(self, formats: Sequence[str | dict[str, Any]] = FORMATS) -> None:
        self.formats = [build_format(given) for given in formats]
        self.names = list(dict.fromkeys(type(each).__name__ for each in self.formats))

    def fits(self, row: Mapping[str, Any]) -> bool:
        return any(candidate.fits(row) for candidate in self.formats)

    def convert(self, row: Mapping[str, Any]) -> dict[str, Any]:
        for candidate in self.formats:
            if candidate.fits(row):
                return candidate.convert(row)
        raise ValueError(
            f"the keys of this row ({', '.join(map(str, row))}) fit none of the formats {', '.join(self.names)}; "
            "name the right one: format=dict(type=...)"
        )
