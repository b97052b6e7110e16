"""Where each sample of an annotation file stands, as the journal tells: a few bytes a sample."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .journal import read_lines
from .outcome import Spent

_OPEN_FILES = 64


class State:
    """For each sample, where its line in the journal is.

    A caption counts more than a failure, whichever came first; of two of a kind the later one counts. Lines of samples
    that are not in the annotation any more are passed over.

    Args:
        keys: (N,) uint64, the key of each sample.
        parts: Of the journal, oldest first.

    Attributes:
        done: (N,) bool, which samples have a caption.
        failed: (N,) bool, which were given up and have none.
        spent: By all requests that the journal knows of.
    """

    def __init__(self, keys: np.ndarray, parts: Sequence[Path]) -> None:
        self.done = np.zeros(len(keys), bool)
        self.failed = np.zeros(len(keys), bool)
        self.spent = Spent()
        self._parts = list(parts)
        self._part = np.full(len(keys), -1, np.int32)
        self._byte = np.zeros(len(keys), np.int64)
        self._files: dict[int, int] = {}
        order = np.argsort(keys)
        ordered = keys[order]
        for number, part in enumerate(self._parts):
            self._read(number, part, order, ordered)

    def _read(self, number: int, part: Path, order: np.ndarray, ordered: np.ndarray) -> None:
        for byte, key, line in read_lines(part):
            self.spent += Spent(line["requests"], line["tokens_in"], line["tokens_out"])
            place = int(np.searchsorted(ordered, np.uint64(key)))
            if place == len(ordered) or int(ordered[place]) != key:
                continue
            index = int(order[place])
            captioned = "error" not in line
            if captioned or not self.done[index]:
                self.done[index], self.failed[index] = captioned, not captioned
                self._part[index], self._byte[index] = number, byte

    def line(self, index: int) -> dict[str, Any]:
        """The line of sample ``index``, which has one."""
        number = int(self._part[index])
        if number not in self._files:
            if len(self._files) >= _OPEN_FILES:
                os.close(self._files.pop(next(iter(self._files))))
            self._files[number] = os.open(self._parts[number], os.O_RDONLY)
        return json.loads(_line_at(self._files[number], int(self._byte[index])))

    def close(self) -> None:
        """Close the parts."""
        while self._files:
            os.close(self._files.popitem()[1])


def _line_at(file: int, byte: int, size: int = 1 << 13) -> bytes:
    """The line that begins at ``byte``."""
    while b"\n" not in (data := os.pread(file, size, byte)):
        size *= 2
    return data[: data.index(b"\n")]
