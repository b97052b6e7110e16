"""JSON: one array of objects, as LLaVA's annotation files are."""

import json
from pathlib import Path
from typing import NoReturn

import numpy as np

from .base import check_exists
from .byte_ranges import ByteRanges, blocks
from .cached import cached
from .json_scan import JSONScan

_SMALL = 1 << 25
"""Bytes of a file that is looked through in a tenth of a second: not worth a file beside it."""


class JSONArray(ByteRanges):
    """The objects of a JSON file that is an array of them.

    Opening it for the first time finds where the objects begin and end, block by block; no object is made before it is
    asked for. Of a file of 32 MB and more the places are kept in the user's cache folder, so that it opens at once
    from then on.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a JSON array of objects (the line is named), or has none.
    """

    def __init__(self, path: str | Path) -> None:
        path = check_exists(path)
        super().__init__(path, *(_find(path) if path.stat().st_size < _SMALL else _kept(path)))

    def where(self, index: int) -> str:
        return f"{self.path}: item {index} (line {self._line(index)})"  # a whole array may stand in one line


def _kept(path: Path) -> np.ndarray:
    """What :func:`_find` found, now or before; mapped, so that processes share it."""
    try:
        found: np.ndarray = np.load(cached(path, ".v1.npy", lambda target: _save(target, _find(path))), mmap_mode="r")
    except OSError:  # no place to keep it
        found = _find(path)
    return found


def _find(path: Path) -> np.ndarray:
    """The first and one past the last byte of each object, (2, N) int64."""
    scan = JSONScan()
    for place, block in blocks(path):
        scan.add(place, block)
    found = scan.objects()
    if found is None:
        _explain(path)
    return np.stack(found)


def _save(target: Path, found: np.ndarray) -> None:
    with target.open("wb") as file:
        np.save(file, found)


def _explain(path: Path) -> NoReturn:
    """Raise the ``ValueError`` that says what is wrong with a file that is no array of objects."""
    if not path.stat().st_size:
        raise ValueError(f"Annotation file '{path}' is empty")
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"Annotation file '{path}' is not UTF-8 text: {error}. Save it as UTF-8.") from error
    except json.JSONDecodeError as error:
        hint = " One object a line is JSONL: name the file .jsonl." if error.msg == "Extra data" else ""
        raise ValueError(
            f"{path}: line {error.lineno} is not JSON: {error.msg} (column {error.colno}).{hint}"
        ) from error
    if not isinstance(content, list):
        raise ValueError(f"{path}: expected a JSON list of samples, got a {type(content).__name__}")
    for index, sample in enumerate(content):
        if isinstance(sample, str) and sample.endswith(".json"):
            raise ValueError(
                f"{path}: sample {index} is the name of another file ('{sample}'): write all into one JSONL"
            )
        if not isinstance(sample, dict):
            raise ValueError(f"{path}: sample {index} is a {type(sample).__name__}, expected an object with 'id'")
    raise ValueError(f"{path} was changed while it was opened: start again")
