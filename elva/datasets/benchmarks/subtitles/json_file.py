"""Subtitles of JSON files, in the two forms of LongVideoBench."""

import json
import math
from pathlib import Path
from typing import Any

from .subtitle import Subtitle, plain_text, seconds_of


def read_json_subtitles(path: Path) -> list[Subtitle]:
    """Return the lines of a ``.json`` file, in its order.

    A line is ``{timestamp: [start, end], text}``, in seconds (recognised speech; an end may be null), or ``{start,
    end, line}``, in ``hours:minutes:seconds`` (published subtitles).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a list of such lines; the line is named.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path}: is not JSON ({error})") from error
    if not isinstance(content, list):
        raise ValueError(f"{path}: must hold a list of lines, got a {type(content).__name__}")
    found = []
    for number, entry in enumerate(content):
        try:
            line = _line(entry)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path}: line {number} is neither {{timestamp, text}} nor {{start, end, line}}: {entry!r}"
            ) from error
        if line.text:
            found.append(line)
    return found


def _line(entry: dict[str, Any]) -> Subtitle:
    if "timestamp" in entry:
        start, end = entry["timestamp"]
        return Subtitle(float(start), math.inf if end is None else float(end), plain_text(entry["text"]))
    return Subtitle(seconds_of(entry["start"]), seconds_of(entry["end"]), plain_text(entry["line"]))
