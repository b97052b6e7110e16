"""Subtitles of ``.srt`` files, also of those that no player complains about but no standard allows."""

import codecs
import re
from itertools import pairwise
from pathlib import Path

from .subtitle import Subtitle, plain_text, seconds_of

_CLOCK = r"(?:\d+:)?\d+:\d+(?:[.,:]\d+)?"
_TIMES = re.compile(rf"\s*({_CLOCK})\s*-->\s*({_CLOCK})(?:\s.*)?")
_ORDERS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_srt(path: Path) -> list[Subtitle]:
    """Return the lines of an ``.srt`` file, in its order.

    A block begins at its line of times. Its number is not needed, nor is a blank line in front. Bytes that are not
    UTF-8 (or UTF-16 with a mark in front) are taken for Windows' Western code page. Lines without text are left out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If there is text, but nothing that says when it is said.
    """
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", decode(path.read_bytes()))]
    starts = [number for number, line in enumerate(lines) if "-->" in line]
    if not starts and any(lines):
        raise ValueError(f"{path}: is no .srt file: no line says 'start --> end'")
    found = []
    for count, (begin, end) in enumerate(pairwise([*starts, len(lines)]), start=1):
        times = _TIMES.fullmatch(lines[begin])
        if times is None:
            raise ValueError(
                f"{path}: line {begin + 1} has no times like '00:00:01,000 --> 00:00:02,000': {lines[begin]!r}"
            )
        said = lines[begin + 1 : end]
        if end < len(lines) and _is_number(said, count + 1):
            said = said[:-1]
        text = plain_text(" ".join(said))
        if text:
            found.append(Subtitle(seconds_of(times[1]), seconds_of(times[2]), text))
    return found


def decode(content: bytes) -> str:
    """The text of a file that does not say how it is encoded."""
    for mark, encoding in _ORDERS.items():
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _is_number(said: list[str], following: int) -> bool:
    """Whether the last of these lines is the number of the block that comes next, and not said."""
    if not said or not said[-1].isdigit():
        return False
    return len(said) == 1 or said[-2] == "" or int(said[-1]) == following
