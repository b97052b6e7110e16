"""What every annotation format promises."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any


class SampleFormat(ABC):
    """Turns a row of an annotation file into LLaVA's form, the one that :func:`parse_sample` checks and reads."""

    @abstractmethod
    def fits(self, row: Mapping[str, Any]) -> bool:
        """Whether a row looks like this format, by its keys alone; ``AutoFormat`` asks."""

    @abstractmethod
    def convert(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the row in LLaVA's form: ``id`` (where it has one), ``video`` and ``image``, ``conversations``.

        Every other key is kept as it is.

        Raises:
            ValueError: If the row is not of this format; the message says what was expected.
        """
