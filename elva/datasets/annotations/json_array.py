"""JSON: one array of objects, as LLaVA's annotation files are."""

import json
from pathlib import Path

import numpy as np

from .base import check_exists
from .byte_ranges import ByteRanges, blocks

_QUOTE, _BACKSLASH, _COMMA = ord('"'), ord("\\"), ord(",")
_SPACE = np.frombuffer(b" \t\r\n\xef\xbb\xbf", np.uint8)  # and the three bytes of UTF-8's byte order mark
_STEP = np.zeros(256, np.int32)
"""By how much each byte, outside of texts, changes the depth."""
_STEP[[ord("["), ord("{")]], _STEP[[ord("]"), ord("}")]] = 1, -1


class JSONArray(ByteRanges):
    """The objects of a JSON file that is an array of them.

    Opening it finds where the objects begin and end, block by block: texts by the parity of their quotes, objects by
    the depth of their braces. No object is made before it is asked for.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a JSON array of objects (the line is named), or has none.
    """

    def __init__(self, path: str | Path) -> None:
        path = check_exists(path)
        scan = _Scan()
        for place, block in blocks(path):
            scan.add(place, block)
        if scan.wrong or scan.depth or scan.in_text or scan.commas != max(0, len(scan.starts) - 1):
            _explain(path)
        super().__init__(path, scan.starts, scan.ends)

    def where(self, index: int) -> str:
        return f"{self.path}: item {index} (line {self._line(index)})"  # a whole array may stand in one line


class _Scan:
    """What is known after the blocks so far."""

    def __init__(self) -> None:
        self.depth = 0
        self.in_text = False
        self.escapes = 0  # backslashes at the end of the last block
        self.starts = np.empty(0, np.int64)
        self.ends = np.empty(0, np.int64)
        self.commas = 0  # between objects
        self.wrong = False

    def add(self, place: int, block: np.ndarray) -> None:
        """Take the next block, which begins at byte ``place``."""
        quotes = self._quotes(block)
        inside = (np.cumsum(quotes) + self.in_text) % 2 == 1
        step = np.where(inside | quotes, 0, _STEP[block])
        depth = self.depth + np.cumsum(step)
        begin, end = (step == 1) & (depth == 2), (step == -1) & (depth == 1)
        self.starts = np.concatenate([self.starts, place + np.flatnonzero(begin)])
        self.ends = np.concatenate([self.ends, place + np.flatnonzero(end) + 1])
        self.commas += int(((block == _COMMA) & (depth == 1) & (step == 0)).sum())
        self.wrong |= self._stray(place, block, depth, step, inside | quotes)
        self.wrong |= bool((block[begin] != ord("{")).any())
        self.depth, self.in_text = int(depth[-1]), bool(inside[-1])

    def _quotes(self, block: np.ndarray) -> np.ndarray:
        """Which bytes begin or end a text: the quotes with an even number of backslashes before them."""
        quotes = block == _QUOTE
        slashes = block == _BACKSLASH
        if self.escapes or slashes.any():
            places = np.flatnonzero(quotes)
            other = np.concatenate([[-1 - self.escapes], np.flatnonzero(~slashes)])
            before = other[np.searchsorted(other, places) - 1]  # the last byte before each that is no backslash
            quotes[places[(places - before - 1) % 2 == 1]] = False
        trailing = len(block) - 1 - int(np.flatnonzero(~slashes)[-1]) if not slashes.all() else None
        self.escapes = self.escapes + len(block) if trailing is None else trailing
        return quotes

    @staticmethod
    def _stray(place: int, block: np.ndarray, depth: np.ndarray, step: np.ndarray, text: np.ndarray) -> bool:
        """Whether anything but objects, commas and space stands at the depth of the array, or outside of it."""
        outer = block[(depth <= 1) & (step == 0)]
        first = block[(step == 1) & (depth == 1)]
        once = len(first) == (1 if place == 0 else 0) and not (first != ord("[")).any()
        return not once or bool(((depth < 0) | (text & (depth <= 1))).any()) or not _blank_or_comma(outer)


def _blank_or_comma(bytes_: np.ndarray) -> bool:
    return bool((np.isin(bytes_, _SPACE) | (bytes_ == _COMMA)).all())


def _explain(path: Path) -> None:
    """Raise the ``ValueError`` that says what is wrong with a file that is no array of objects."""
    try:
        content = json.loads(path.read_bytes())
    except UnicodeDecodeError as error:
        raise ValueError(f"Annotation file '{path}' is not UTF-8 text: {error}") from error
    except json.JSONDecodeError as error:
        hint = " One object a line is JSONL: name the file .jsonl." if error.msg == "Extra data" else ""
        raise ValueError(
            f"{path}: line {error.lineno} is not JSON: {error.msg} (column {error.colno}).{hint}"
        ) from error
    if not isinstance(content, list):
        raise ValueError(f"{path}: expected a JSON list of samples, got a {type(content).__name__}")
    for index, sample in enumerate(content):
        if not isinstance(sample, dict):
            raise ValueError(f"{path}: sample {index} is a {type(sample).__name__}, expected an object with 'id'")
    raise ValueError(f"{path}: is JSON, but not in UTF-8: save it as UTF-8")
