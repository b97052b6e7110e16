"""What was captioned so far: append-only files of which nothing that was written is ever lost, or asked again.

A journal is a folder of parts, ``<run>-<writer>.jsonl``. A part has one writer and is written once: a later run opens
parts of its own. So only the last line of a part can be torn, by a kill or a full disk, and it is passed over.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any


class JournalWriter:
    """Appends to a new part, one line a finished sample.

    A line reaches the operating system at once, so the end of this process loses none; it reaches the disk within
    ``every`` seconds if somebody calls :meth:`sync` as often, and when the part is closed.

    Args:
        path: The part; it must not exist.
        every: Seconds between two writes to the disk. Default: 1.
    """

    def __init__(self, path: Path, every: float = 1.0) -> None:
        self.path = path
        self._every = every
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)
        self._dirty, self._synced = False, time.monotonic()

    def add(self, key: int, line: dict[str, Any]) -> None:
        """Append the line of the sample with ``key``.

        Raises:
            OSError: If the disk is full; nothing may be added any more.
        """
        data = (json.dumps({"key": f"{key:016x}"} | line, ensure_ascii=False) + "\n").encode(
            errors="backslashreplace"  # names that are no Unicode, as JSON writes them
        )
        try:
            written = os.write(self._file, data)
            while written < len(data):  # a disk that fills up takes a part, then raises
                written += os.write(self._file, data[written:])
        except OSError as error:
            error.filename = str(self.path)
            raise
        self._dirty = True

    def sync(self) -> None:
        """Bring to the disk what is not yet there, if it is time."""
        if self._dirty and time.monotonic() - self._synced >= self._every:
            self._dirty, self._synced = False, time.monotonic()
            os.fsync(self._file)

    def close(self) -> None:
        """Bring everything to the disk and end the part."""
        os.fsync(self._file)
        os.close(self._file)


class Journal:
    """The folder of parts.

    Args:
        folder: Made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock: IO[str] | None = None

    def lock(self) -> None:
        """Keep the journal for this process, until it ends, however it ends.

        Raises:
            ValueError: If another process has it: both would ask for the same samples.
        """
        import fcntl  # not on every system

        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(f"Another process is writing to {self.folder}: let it end first.") from error

    def unlock(self) -> None:
        """Let others have it."""
        if self._lock is not None:
            self._lock.close()

    def parts(self, prefix: str = "") -> list[Path]:
        """The parts, oldest run first; only those whose name begins with ``prefix``."""
        return sorted(self.folder.glob(f"{prefix}*.jsonl"))

    def next_run(self) -> int:
        """The number of a new run."""
        return 1 + max((int(part.name.split("-")[0]) for part in self.parts()), default=0)

    def part(self, run: int, writer: str) -> Path:
        """The path of a part; ``writer`` tells the parts of one run apart."""
        return self.folder / f"{run:05d}-{writer}.jsonl"


def read_lines(part: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield (byte, key, line) of each line of a part that was written whole.

    What cannot be read is as if it had never been written: its sample is asked for again.
    """
    place = 0
    with part.open("rb") as file:
        for data in file:
            if (line := _parse(data)) is not None:
                yield place, *line
            place += len(data)


def _parse(data: bytes) -> tuple[int, dict[str, Any]] | None:
    """The key and the content of a line; None if it is torn."""
    if not data.endswith(b"\n"):
        return None
    try:
        line = json.loads(data)
        return int(line["key"], 16), line
    except (ValueError, LookupError, TypeError):
        return None
