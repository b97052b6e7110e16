"""What can be wrong with a sample."""

from dataclasses import dataclass
from typing import Any

ERRORS = {
    "annotation": "the row cannot be read, or is not in its format",
    "text": "the conversation cannot be tokenized, or is longer than max_length",
    "video": "a file cannot be read",
    "part": "the part of the video that is asked for is not there",
    "tokens": "the sequence is longer than --max-tokens",
}
"""Kinds that keep a sample from being used."""

WARNINGS = {
    "tag": "the text names another medium, or has a tag in an answer",
    "placeholder": "the text has a special token in it, which is read as plain text",
    "empty answer": "an answer before the last one is empty",
    "no question": "a question says nothing beside its tags",
    "duplicate id": "another sample of the data set has the same id",
}
"""Kinds that a sample can be used with."""


@dataclass(frozen=True)
class Problem:
    """Of one sample.

    Attributes:
        kind: Of ``ERRORS`` or ``WARNINGS``.
        message: What is wrong, and what was expected.
        index: The sample's number in its data set.
        id: Its id.
        videos: Its files, as far as they are known.
        where: Its file and line or row.
    """

    kind: str
    message: str
    index: int
    id: str
    videos: tuple[str, ...]
    where: str

    @property
    def error(self) -> bool:
        """Whether it keeps the sample from being used."""
        return self.kind in ERRORS

    def record(self, source: str) -> dict[str, Any]:
        """A line of the skip list, with the keys of :class:`~elva.datasets.SkipLog` and the sample's place."""
        return {
            "id": self.id,
            "video": list(self.videos),
            "error": self.message,
            "source": source,
            "kind": self.kind,
            "where": self.where,
            "index": self.index,
        }
