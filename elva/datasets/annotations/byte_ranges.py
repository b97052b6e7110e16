"""Rows that are ranges of bytes of one file, each a JSON object."""

import json
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from elva.utils.media_path import path_identity

from .base import AnnotationFile
from .json_object import json_object


class ByteRanges(AnnotationFile):
    """JSON objects at known places of a file; 16 bytes of memory a row.

    Rows are read by place (``pread``), so processes that were forked from one another share the open file safely.

    Args:
        path: The file.
        starts: (N,) int64, the first byte of each row.
        ends: (N,) int64, one past the last byte of each row.
    """

    def __init__(self, path: Path, starts: np.ndarray, ends: np.ndarray) -> None:
        if not len(starts):
            raise ValueError(f"Annotation file '{path}' has no samples")
        self.path = path
        self._starts, self._ends = starts, ends
        self._state = path_identity(str(path))
        self._file: int | None = None

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: int) -> dict[str, Any]:
        try:
            return json_object(self._bytes(index))
        except ValueError as error:
            self._refuse_changed()
            if isinstance(error, json.JSONDecodeError):
                line = self._line(index) + error.lineno - 1
                raise ValueError(f"{self.path}: line {line} is not JSON: {error.msg} (column {error.colno})") from error
            raise ValueError(f"{self.where(index)} {error}") from error

    def where(self, index: int) -> str:
        return f"{self.path}: line {self._line(index)}"

    def _line(self, index: int) -> int:
        """Number of the line that a row begins in, from 1."""
        block, rest = divmod(int(self._starts[index]), _BLOCK)
        with self.path.open("rb") as file:
            file.seek(block * _BLOCK)
            return int(self._lines_before[block]) + file.read(rest).count(b"\n") + 1

    @cached_property
    def _lines_before(self) -> np.ndarray:
        """How many lines end before each block; the file is read for it once, when a line is first asked for."""
        counts = [np.count_nonzero(block == ord("\n")) for _, block in blocks(self.path)]
        return np.concatenate([[0], np.cumsum(counts)])

    def _bytes(self, index: int) -> bytes:
        if self._file is None:
            self._file = os.open(self.path, os.O_RDONLY)
        start, end = int(self._starts[index]), int(self._ends[index])
        row = os.pread(self._file, end - start, start)
        if len(row) != end - start:
            self._refuse_changed()
        return row

    def _refuse_changed(self) -> None:
        """Raise ``ValueError`` if the file is not as it was: its rows do not lie where they did."""
        if path_identity(str(self.path)) != self._state:
            raise ValueError(
                f"{self.path} was changed after it was opened: start again, and write new data to a new file"
            )

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None}  # another process opens it itself

    def __del__(self) -> None:
        file: int | None = getattr(self, "_file", None)
        if file is not None:
            os.close(file)


_BLOCK = 1 << 18
"""Bytes; as much as a core's cache holds."""


def blocks(path: Path, size: int = _BLOCK) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the place and the bytes (uint8) of each block of a file."""
    with path.open("rb") as file:
        place = 0
        while block := file.read(size):
            yield place, np.frombuffer(block, np.uint8)
            place += len(block)
