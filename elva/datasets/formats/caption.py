"""A video or an image, and a text that describes it."""

from collections.abc import Mapping
from typing import Any

from elva.registry import SAMPLE_FORMATS

from .base import SampleFormat


@SAMPLE_FORMATS.register_module()
class CaptionFormat(SampleFormat):
    """``{"video": "a.mp4", "caption": "..."}``, as captioned data sets and WebDataset shards have it.

    It becomes one question and one answer; the question is left out by ``TokenizeConversation(template='plain')``.

    Args:
        question: What is asked. Default: ``'Describe the video.'``, or ``'Describe the image.'`` where that is named.
    """

    def __init__(self, question: str | None = None) -> None:
        self.question = question

    def fits(self, row: Mapping[str, Any]) -> bool:
        return "caption" in row and "conversations" not in row

    def convert(self, row: Mapping[str, Any]) -> dict[str, Any]:
        caption = row.get("caption")
        if not isinstance(caption, str):
            raise ValueError(f"'caption' is {caption!r}, expected a text")
        kinds = [kind for kind in ("video", "image") if row.get(kind)]
        if not kinds:
            raise ValueError("neither 'video' nor 'image' says what the caption describes")
        tags = [f"<{kind}>" * (1 if isinstance(row[kind], str) else len(row[kind])) for kind in kinds]
        question = self.question or f"Describe the {kinds[0]}."
        turns = [("user", "".join(tags) + f"\n{question}"), ("assistant", caption)]
        conversations = [{"role": role, "content": content} for role, content in turns]
        return {key: value for key, value in row.items() if key != "caption"} | {"conversations": conversations}
