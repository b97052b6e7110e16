"""What was found in files so far, on disk: a check that was stopped goes on where it was."""

import json
from array import array
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from elva.structures import VideoMeta

from .media import FileFound, FileJob, stamp
from .scan import digest


class Journal:
    """Lines of JSON, one for each file that was looked at.

    A line counts for a file of the same path and stamp (size and time of change), of which the same is to be looked
    at. A last line that was cut off by a kill is dropped. In memory it costs 16 bytes a line.

    Args:
        path: The file; made with the first line.
        fresh: Drop what is there.
        retry: Look again at files that could not be read.
    """

    def __init__(self, path: Path, fresh: bool = False, retry: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w+b" if fresh or not path.exists() else "r+b")
        keys, places = array("Q"), array("Q")
        place = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            record = _read(line)
            if record is not None and not (retry and record["error"]):
                keys.append(_key(record))
                places.append(place)
            place += len(line)
        self._file.truncate(place)
        order = np.argsort(np.array(keys), kind="stable")
        self._keys, self._places = np.array(keys)[order], np.array(places)[order]

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, job: FileJob, how: str) -> FileFound | None:
        """What was found in a file that has not changed since; the newest line counts.

        Args:
            job: The file.
            how: What is to be looked at, in words.
        """
        now = stamp(job.path)
        key = _key({"path": job.path, "stamp": now, "how": how})
        at = int(np.searchsorted(self._keys, np.uint64(key), side="right")) - 1
        if not now or at < 0 or int(self._keys[at]) != key:
            return None
        self._file.seek(int(self._places[at]))
        record = _read(self._file.readline())
        assert record is not None
        meta = VideoMeta(path=job.path, **record["meta"]) if record["meta"] else None
        return FileFound(now, meta, record["error"])

    def add(self, job: FileJob, how: str, found: FileFound) -> None:
        """Write what was found; a file that is not there has nothing to know it again by."""
        if not found.stamp:
            return
        meta: dict[str, Any] | None = asdict(found.meta) if found.meta else None
        if meta:
            del meta["path"]
        record = {"path": job.path, "stamp": found.stamp, "how": how, "error": found.error, "meta": meta}
        line = json.dumps(record) + "\n"
        self._file.seek(0, 2)
        self._file.write(line.encode())
        self._file.flush()


def _key(record: dict[str, Any]) -> int:
    return digest(json.dumps([record[name] for name in ("path", "stamp", "how")]))


def _read(line: bytes) -> dict[str, Any] | None:
    """A line's record; None if it is none."""
    try:
        record: dict[str, Any] = json.loads(line)
        return record if {"path", "stamp", "how", "error", "meta"} <= set(record) else None
    except (ValueError, TypeError):
        return None
