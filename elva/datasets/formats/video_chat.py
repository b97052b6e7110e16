"""VideoChat2's instruction data."""

from collections.abc import Mapping
from typing import Any

from elva.registry import SAMPLE_FORMATS

from ..bounds import part_of
from .base import SampleFormat
from .columns import conversation, media_of, optional_text_of, rest, tags_of, text_of

_PLACES = ("system", "question", "drop")


@SAMPLE_FORMATS.register_module()
class VideoChatFormat(SampleFormat):
    """``{"video": "a.mp4", "QA": [{"i": "Answer in a word.", "q": "What?", "a": "This."}, ...]}``, or with ``image``.

    The video stands before the first question; ``q`` may be empty there (captions). With ``start`` and ``end``, in
    seconds, only that part of the video is meant.

    Args:
        instruction: Where the first pair's ``i`` goes: ``'system'``, a system turn of its own, as VideoChat2's
            data loader (2024) has it; ``'question'``, before the first question; ``'drop'``. Those of later pairs are
            not used, by VideoChat2 neither. Default: ``'system'``.
    """

    def __init__(self, instruction: str = "system") -> None:
        if instruction not in _PLACES:
            raise ValueError(f"VideoChatFormat: instruction must be one of {', '.join(_PLACES)}, got '{instruction}'")
        self.instruction = instruction

    def fits(self, row: Mapping[str, Any]) -> bool:
        return "QA" in row

    def convert(self, row: Mapping[str, Any]) -> dict[str, Any]:
        pairs = row.get("QA")
        if not isinstance(pairs, list) or not pairs or not all(isinstance(pair, Mapping) for pair in pairs):
            raise ValueError(f"'QA' must be a list of {{'i', 'q', 'a'}}, got {pairs!r}")
        media = media_of(row, None)
        texts = [text for number, pair in enumerate(pairs) for text in _pair(number, pair)]
        instruction = optional_text_of(pairs[0], "i")
        opening = [tags_of(media), instruction if self.instruction == "question" else "", texts[0]]
        turns = conversation("\n".join(filter(None, opening)), *texts[1:])
        if instruction and self.instruction == "system":
            turns.insert(0, {"role": "system", "content": instruction})
        bounds = part_of(row, "start", "end")
        found = {"conversations": turns} | ({"bounds": [bounds]} if bounds and "video" in media else {})
        return rest(row, "QA", "start", "end") | found


def _pair(number: int, pair: Mapping[str, Any]) -> tuple[str, str]:
    question = optional_text_of(pair, "q")
    if number and not question:
        raise ValueError(f"QA[{number}] has no question 'q'; only the first may do without")
    return question, text_of(pair, "a")
