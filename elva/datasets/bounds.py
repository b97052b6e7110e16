"""Which part of a video a sample is about."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

Bounds = tuple[float, float]
"""First and last second of a part."""

_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")


def parse_bounds(value: Any, count: int) -> list[Bounds | None]:
    """Return the part of each of ``count`` videos, None for the whole of it.

    Args:
        value: For each video a pair (start, end) or None; for one video the pair alone will do. A start of None is the
            video's beginning, an end of None its end. Times as :func:`parse_seconds` reads them. None: all whole.
        count: Number of videos.

    Raises:
        ValueError: If ``value`` is something else.
    """
    if value is None:
        return [None] * count
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError(f"'bounds' must be a pair (start, end) for each video, got {value!r}")
    pairs = [value] if count == 1 and len(value) == 2 and not isinstance(value[0], list | tuple) else value
    if len(pairs) != count:
        raise ValueError(f"'bounds' has {len(pairs)} entries for {count} videos")
    return [None if pair is None else _pair(pair) for pair in pairs]


def part_of(row: Mapping[str, Any], start: str, end: str) -> tuple[Any, Any] | None:
    """What a row has under two keys, as a pair for :func:`parse_bounds`; None if it has neither."""
    pair = row.get(start), row.get(end)
    return None if pair == (None, None) else pair


def parse_seconds(value: Any) -> float:
    """Return a time in seconds.

    Args:
        value: A number, or a text: ``'12.5'``, ``'02:03.5'``, ``'00:02:03.500'``.

    Raises:
        ValueError: If it is no such thing, or negative.
    """
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found:
        return int(found[1] or 0) * 3600 + int(found[2]) * 60 + float(found[3])
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 <= seconds < math.inf or isinstance(value, bool):
        raise ValueError(f"{value!r} is no time: expected seconds or 'HH:MM:SS'")
    return seconds


def _pair(pair: Any) -> Bounds:
    if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
        raise ValueError(f"{pair!r} is no part of a video: expected (start, end)")
    start = 0.0 if pair[0] is None else parse_seconds(pair[0])
    end = math.inf if pair[1] is None else parse_seconds(pair[1])
    if not start < end:
        raise ValueError(f"the part from {pair[0]} to {pair[1]} is empty: its end must come after its start")
    return start, end
