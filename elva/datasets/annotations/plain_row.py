"""Rows of tables as plain Python values."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from elva.utils.cache_folder import cache_folder

_MEDIA = {"bytes", "path"}


def plain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``row`` as a JSON file would have it.

    A table has every column in every row: what is null is left out, in objects inside of it as well. A video or image
    (``{"bytes", "path"}``, as Hugging Face's ``Video`` and ``Image`` store them) becomes a path: its own, or, where the
    table holds the content, that of a file in ``media`` of the user's cache folder, named by the content.

    Raises:
        ValueError: If a medium has neither content nor a path.
    """
    return {key: _plain(value) for key, value in row.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _path(value) if set(value) == _MEDIA else plain_row(value)
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _path(medium: Mapping[str, Any]) -> str:
    content, path = medium["bytes"], medium["path"]
    if content is None:
        if path is None:
            raise ValueError("a video or image has neither 'bytes' nor a 'path'")
        return str(path)
    folder = cache_folder() / "media"
    file = folder / f"{hashlib.blake2b(content, digest_size=16).hexdigest()}{_suffix(content, path)}"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
        with os.fdopen(handle, "wb") as part:
            part.write(content)
        os.replace(name, file)
    return str(file)


def _suffix(content: bytes, path: str | None) -> str:
    """The suffix of a medium's own path, or that of its kind by its first bytes."""
    if path and Path(path).suffix:
        return Path(path).suffix
    starts = {b"\xff\xd8": ".jpg", b"\x89PNG": ".png", b"GIF8": ".gif", b"BM": ".bmp", b"\x1aE\xdf\xa3": ".webm"}
    found = next((suffix for start, suffix in starts.items() if content.startswith(start)), None)
    return found or (".webp" if content[8:12] == b"WEBP" else ".mp4")
