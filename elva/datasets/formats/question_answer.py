"""A question and its answer in columns."""

from collections.abc import Mapping
from typing import Any

from elva.registry import SAMPLE_FORMATS

from .base import SampleFormat
from .columns import columns_of, conversation, media_of, rest, tags_of, text_of


@SAMPLE_FORMATS.register_module()
class QuestionAnswerFormat(SampleFormat):
    """``{"video_id": "v_1", "q": "What?", "a": "This."}``, as Video-ChatGPT's data, or any table with such columns.

    Args:
        question: The column of the question. Default: ``'q'``.
        answer: The column of the answer. Default: ``'a'``.
        video: The path, with columns in braces; None where the row has a ``video`` or ``image``.
            Default: ``'{video_id}.mp4'``.
    """

    def __init__(self, question: str = "q", answer: str = "a", video: str | None = "{video_id}.mp4") -> None:
        self.question = question
        self.answer = answer
        self.video = video

    def fits(self, row: Mapping[str, Any]) -> bool:
        return {self.question, self.answer, *columns_of(self.video or "")} <= set(row)

    def convert(self, row: Mapping[str, Any]) -> dict[str, Any]:
        media = media_of(row, self.video)
        texts = text_of(row, self.question), text_of(row, self.answer)
        turns = conversation(f"{tags_of(media)}\n{texts[0]}", texts[1])
        return rest(row, self.question, self.answer) | media | {"conversations": turns}
