"""Samples that are left out because a list says that they cannot be used."""

import json
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log


def listed_rows(path: str | Path, offsets: dict[str, int], count: int, id_of: Callable[[int], str]) -> np.ndarray:
    """Return the rows that a skip list names, rising.

    A line is an object as :class:`SkipLog` and ``check_dataset`` write it: ``id`` and, in this order of use, ``source``
    (lines about other sources do not count; without one they all do) and ``index``, the row. Ids need not be unique,
    rows are: where ``index`` names a row with that ``id``, that row alone is meant. Else every row with the ``id`` is,
    and all rows have to be read once to find them.

    Args:
        path: JSONL.
        offsets: By source, the row that its row 0 is here.
        count: Rows there are.
        id_of: The id of a row.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is not such an object.
    """
    known = {_absolute(source): offset for source, offset in offsets.items()}
    listed: set[tuple[int, str]] = set()  # a log may have a sample many times
    for entry in _entries(Path(path)):
        offset = known.get(_absolute(entry["source"])) if entry.get("source") else 0
        if offset is not None:
            numbered = isinstance(entry.get("index"), int)
            listed.add((entry["index"] + offset if numbered else -1, str(entry["id"])))
    rows = {row for row, name in listed if 0 <= row < count and id_of(row) == name}
    ids = {name for row, name in listed if row not in rows}
    if ids:
        print_log(f"{path} does not tell the rows of {len(ids)} samples: all {count} are read to find them", "current")
        found = {row: name for row in range(count) if (name := id_of(row)) in ids}
        rows |= set(found)
        gone = sorted(ids - set(found.values()))
        if gone:
            text = f"{path}: {len(gone)} samples are not in {', '.join(offsets)} any more: {', '.join(gone[:10])}"
            print_log(text, "current", logging.WARNING)
    return np.array(sorted(rows), np.int64)


def _entries(path: Path) -> Sequence[dict[str, Any]]:
    """The lines of a skip list."""
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"Skip list '{path}' {what}. Check skip_list; check_dataset writes one.")
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"Skip list '{path}' is not UTF-8 text: {error}") from error
    entries = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}: line {number} is not JSON: {error.msg} (column {error.colno})") from error
            if not isinstance(entry, dict) or "id" not in entry:
                raise ValueError(f"{path}: line {number} must be an object with the 'id' of a sample, got {line[:80]}")
            if not isinstance(entry.get("source") or "", str):
                raise ValueError(f"{path}: line {number}: 'source' must be the path of a file, got {entry['source']!r}")
            entries.append(entry)
    return entries


def _absolute(source: str) -> str:
    return ", ".join(os.path.abspath(name) for name in source.split(", "))
