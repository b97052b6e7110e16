"""JSONL: one JSON object a line."""

import codecs
from pathlib import Path

import numpy as np

from .base import check_exists
from .byte_ranges import ByteRanges, blocks

_BLANK = np.frombuffer(b" \t\r", np.uint8)


class JSONLines(ByteRanges):
    """The lines of a file that are not blank.

    Opening it finds the line ends, at about the speed of the disk; whether a line is JSON shows when it is read.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If no line has anything in it, or the first one begins an array.
    """

    def __init__(self, path: str | Path) -> None:
        path = check_exists(path)
        found = [place + np.flatnonzero(block == ord("\n")) for place, block in blocks(path)]
        ends = np.concatenate([*found, [path.stat().st_size]]).astype(np.int64)
        starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)
        full = _full(path, starts, ends)
        super().__init__(path, starts[full], ends[full])
        if self._bytes(0).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
            raise ValueError(f"Annotation file '{path}' is a JSON array, not an object a line: name it .json")


def _full(path: Path, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Which lines have more than blanks in them; only short ones have to be looked at."""
    full = ends > starts
    with path.open("rb") as file:
        for line in np.flatnonzero(full & (ends - starts < 16)):
            file.seek(starts[line])
            text = np.frombuffer(file.read(int(ends[line] - starts[line])), np.uint8)
            full[line] = not np.isin(text, _BLANK).all()
    return full
