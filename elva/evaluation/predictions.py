"""Answers on disk while an evaluation runs, so that one that was killed goes on where it was."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .records import Record

NEEDED = frozenset({"id", "cluster", "groups", "raw", "score"})
"""What every line of ``predictions.jsonl`` has for whoever reads it."""


class PredictionParts:
    """The answers so far, in files of one line an answer, one file a process.

    Every process appends to a file of its own; whoever starts reads all of them, so a run may go on with another
    number of processes. A line that was cut off by a kill is passed over, and its sample asked again.

    Args:
        folder: Of the parts of one protocol; shared by all processes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self) -> dict[int, Record]:
        """The answers so far, by index in the data set; of several the first that has no error."""
        found: dict[int, Record] = {}
        for part in sorted(self.folder.glob("part-*.jsonl")):
            for line in part.read_bytes().split(b"\n"):
                entry = _whole(line)
                if entry is not None and "error" in found.get(entry["index"], {"error": ""}):
                    found[entry["index"]] = entry["record"]
        return found

    def append(self, rank: int, entries: Iterable[tuple[int, Record]]) -> None:
        """Add answers; they are on the disk when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps({"index": index, "record": record}, ensure_ascii=False) for index, record in entries]
        with (self.folder / f"part-{rank}.jsonl").open("ab") as file:
            if file.tell() and not _ends_whole(Path(file.name)):
                file.write(b"\n")  # what a kill cut off becomes a line of its own
            file.write("".join(line + "\n" for line in lines).encode())
            file.flush()
            os.fsync(file.fileno())

    def remove(self) -> None:
        """Delete the parts: they are in ``predictions.jsonl`` now."""
        for part in self.folder.glob("part-*.jsonl"):
            part.unlink()
        for folder in (self.folder, self.folder.parent):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def write_predictions(path: Path, records: Iterable[Record]) -> None:
    """Write ``predictions.jsonl``: beside, then renamed, so that there is never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    temporary.replace(path)


def read_predictions(path: str | Path) -> list[Record]:
    """Return the records of a ``predictions.jsonl``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is not a record; it is named.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There are no predictions {path}; tools/test.py writes them into its work dir.")
    records = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}: line {number} is not JSON: {error.msg}") from error
        missing = NEEDED - set(record) if isinstance(record, dict) else NEEDED
        if missing:
            raise ValueError(f"{path}: line {number} is no prediction: it has no {', '.join(sorted(missing))}")
        records.append(record)
    return records


def _whole(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and {"index", "record"} <= set(entry) else None


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
