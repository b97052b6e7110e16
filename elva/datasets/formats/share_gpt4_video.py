"""ShareGPT4Video's captions."""

from collections.abc import Mapping
from reprlib import repr as short
from typing import Any

from elva.registry import SAMPLE_FORMATS

from .base import SampleFormat
from .caption import CaptionFormat
from .columns import rest, text_of

_WHOLE = "-1"


@SAMPLE_FORMATS.register_module()
class ShareGPT4VideoFormat(SampleFormat):
    """``{"video_id", "video_path": "pexels/a.mp4", "captions": [{"idx": "1", "content": ...}, {"idx": "-1", ...}]}``.

    The caption of the whole video (``idx`` -1) is the answer, those between key frames are kept under ``captions``.
    The conversations of ShareGPT4Video's mix are in LLaVA's format.

    Args:
        question: As of :class:`CaptionFormat`.
    """

    def __init__(self, question: str | None = None) -> None:
        self._caption = CaptionFormat(question, video="{video_path}", id="video_id")

    def fits(self, row: Mapping[str, Any]) -> bool:
        return {"video_id", "video_path", "captions"} <= set(row)

    def convert(self, row: Mapping[str, Any]) -> dict[str, Any]:
        captions = row.get("captions")
        if not isinstance(captions, list) or not all(isinstance(caption, Mapping) for caption in captions):
            raise ValueError(f"'captions' must be a list of {{'idx', 'content'}}, got {short(captions)}")
        whole = [text_of(caption, "content") for caption in captions if str(caption.get("idx")) == _WHOLE]
        if len(whole) != 1:
            raise ValueError(f"{len(whole)} of 'captions' have the idx -1, the whole video's; expected one")
        return self._caption.convert(rest(row, "video") | {"caption": whole[0]})
