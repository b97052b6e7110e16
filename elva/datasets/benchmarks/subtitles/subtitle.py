"""A line that is said, and the text of one."""

import html
import re
from dataclasses import dataclass

_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|\{\\[^{}]*\}|\{[A-Za-z]:[^{}]*\}|\\h")
_TIME = re.compile(r"(?:(\d+):)?(\d+):(\d+)(?:[.,:](\d+))?")


@dataclass(frozen=True)
class Subtitle:
    """A line that is said.

    Attributes:
        start: Seconds since the video's start.
        end: Seconds since the video's start; infinite where the file does not say.
        text: In one line, without markup; never empty.
    """

    start: float
    end: float
    text: str


def plain_text(text: str) -> str:
    """``text`` in one line, without markup (``<font ...>``, ASS's overrides in braces) and with entities resolved."""
    return " ".join(html.unescape(_MARKUP.sub(" ", text)).split())


def seconds_of(time: str) -> float:
    """Seconds of ``[hours:]minutes:seconds[,fraction]``.

    Raises:
        ValueError: If it is no such time.
    """
    found = _TIME.fullmatch(time.strip())
    if found is None:
        raise ValueError(f"{time.strip()!r} is no time like 00:01:02,500")
    hours, minutes, seconds, fraction = found.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction or 0}")
