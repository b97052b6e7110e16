"""A video or an image, and a text that describes it."""

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

from elva.registry import SAMPLE_FORMATS

from ..bounds import part_of
from .base import SampleFormat
from .columns import columns_of, conversation, media_of, rest, tags_of, text_of, value_of


@SAMPLE_FORMATS.register_module()
class CaptionFormat(SampleFormat):
    """``{"video": "a.mp4", "caption": "..."}``, as captioned data sets and WebDataset shards have it.

    It becomes one question and one answer; the question is left out by ``TokenizeConversation(template='plain')``.

    Args:
        question: What is asked; of several questions each sample has one, always the same. Default: ``'Describe the
            video.'``, or ``'Describe the image.'`` where that is named.
        caption: The column of the text. Default: ``'caption'``.
        video: The path, with columns in braces: ``'{page_dir}/{videoid}.mp4'`` (WebVid). Default: the row has a
            ``video`` or ``image``.
        id: The column of the id. Default: ``'id'``, if there is one.
        start, end: Columns of the part that is described, where the files are whole videos: seconds or ``HH:MM:SS``.
            Default: all of the file is described.
    """

    def __init__(
        self,
        question: str | Sequence[str] | None = None,
        caption: str = "caption",
        video: str | None = None,
        id: str = "id",
        start: str | None = None,
        end: str | None = None,
    ) -> None:
        self.questions = [question] if isinstance(question, str) else list(question or ())
        self.caption = caption
        self.video = video
        self.id = id
        self.start, self.end = start, end

    def fits(self, row: Mapping[str, Any]) -> bool:
        return {self.caption, *columns_of(self.video or "")} <= set(row)

    def convert(self, row: Mapping[str, Any]) -> dict[str, Any]:
        caption = text_of(row, self.caption)
        media = media_of(row, self.video)
        turns = conversation(f"{tags_of(media)}\n{self._question(media, caption)}", caption)
        found = media | {"conversations": turns}
        if self.start or self.end:
            found["bounds"] = [part_of(row, self.start or "", self.end or "")]
        if self.id != "id":
            found["id"] = value_of(row, self.id)
        return rest(row, self.caption, self.start, self.end) | found

    def _question(self, media: Mapping[str, Any], caption: str) -> str:
        if not self.questions:
            return f"Describe the {next(iter(media))}."
        return self.questions[crc32(f"{media}{caption}".encode()) % len(self.questions)]
