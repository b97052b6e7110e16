"""A table of runs that grows row by row, so that an experiment that was stopped goes on where it was."""

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config


def fingerprint(*parts: Any) -> str:
    """Eight characters that change with what a run is made of, so that a changed run is not taken for an old one.

    Args:
        parts: Configs (without their ``work_dir``), paths of files (their content counts, not their place), and plain
            values.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            with part.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        else:
            content = {k: v for k, v in part.to_dict().items() if k != "work_dir"} if isinstance(part, Config) else part
            digest.update(json.dumps(content, default=str, sort_keys=True).encode())
    return digest.hexdigest()[:8]


class RunTable:
    """Runs in a CSV file, one row a run.

    Args:
        path: The file; it is made with the first run.
        keys: Columns that tell one run from another.

    Raises:
        ValueError: If the file is there and lacks one of ``keys``.
    """

    def __init__(self, path: Path, keys: Sequence[str]) -> None:
        self.path, self.keys = path, tuple(keys)
        self.rows: list[dict[str, str]] = []
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                self.rows = list(csv.DictReader(file))
        missing = [key for key in self.keys if self.rows and key not in self.rows[0]]
        if missing:
            raise ValueError(f"{path} has no column '{missing[0]}': it is the table of something else. Move it away.")

    def find(self, run: Mapping[str, Any]) -> dict[str, str] | None:
        """The row of the run with these values of ``keys``; None if it is not done."""
        wanted = [str(run[key]) for key in self.keys]
        return next((row for row in self.rows if [row[key] for key in self.keys] == wanted), None)

    def add(self, run: Mapping[str, Any]) -> None:
        """Add a run and write the file anew; columns that a run lacks stay empty."""
        self.rows.append({key: str(value) for key, value in run.items()})
        columns = list(dict.fromkeys(column for row in self.rows for column in row))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(self.rows)
        temporary.replace(self.path)
