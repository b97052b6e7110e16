"""Digests of files: the same content has the same, wherever it lies."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_digest(root: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of each of the files under ``root``, by its name; folders are left out."""
    return {name: file_digest(root / name) for name in names if (root / name).is_file()}
