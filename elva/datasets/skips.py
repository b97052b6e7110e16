"""Bookkeeping of samples that could not be used, across the processes that load data."""

import json
import os
import time
from pathlib import Path
from typing import Any


class SkipLog:
    """Remembers which samples were skipped; with a path, in a file that every worker process shares.

    One line a skip, appended in one write, so that lines of several processes never mix. Reading costs something only
    when a sample is skipped.

    Args:
        path: The file (``skipped.jsonl``), made at the first skip. Default: keep it in this process alone.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path is not None else None
        # Lines of an earlier run in the same folder stay in the file, but do not count for this one.
        self._read_to = self.path.stat().st_size if self.path and self.path.exists() else 0
        self._errors: dict[str, dict[str, str]] = {}

    def add(
        self,
        source: str,
        sample_id: str,
        videos: list[str],
        error: str,
        worker: int | None = None,
        index: int | None = None,
    ) -> bool:
        """Note a skipped sample.

        Args:
            source: The annotation file.
            sample_id: The annotation's id.
            videos: Paths of its videos, as far as they are known.
            error: Why it was skipped.
            worker: Number of the worker process that loaded it. Default: the main process.
            index: Its row in the source, by which ``skip_list`` finds it. Default: not known.

        Returns:
            Whether it is the first time.
        """
        known = sample_id in self.errors(source)
        record = {
            "id": sample_id,
            "video": videos,
            "error": error,
            "source": source,
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "worker": worker,
            "index": index,
        }
        if self.path is None:
            self._note(record)
        else:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(record, ensure_ascii=False) + "\n"
            line = text.encode(errors="backslashreplace")  # halves of UTF-16 pairs, as bad names have, as JSON has them
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(file, line)
            finally:
                os.close(file)
        return not known

    def errors(self, source: str) -> dict[str, str]:
        """Errors of the samples of ``source`` that were skipped so far by any process, by id."""
        self._refresh()
        return self._errors.get(source, {})

    def _note(self, record: dict[str, Any]) -> None:
        self._errors.setdefault(record["source"], {}).setdefault(record["id"], record["error"])

    def _refresh(self) -> None:
        """Read what was appended since the last look, whole lines only."""
        if self.path is None or not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read_to)
            fresh = file.read()
        end = fresh.rfind(b"\n") + 1
        self._read_to += end
        for line in fresh[:end].splitlines():
            self._note(json.loads(line))
