"""The samples of an annotation file: what to look at, what was said of it, and what is written in the end."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elva.datasets.annotations import open_annotations
from elva.datasets.conversation import ROLES, named, parse_sample
from elva.datasets.formats.build import build_format
from elva.utils.progress import track

_TAG = re.compile(r"<(?:image|video)>")


@dataclass(frozen=True)
class Sample:
    """One sample to caption.

    Attributes:
        row: The annotation in LLaVA's form.
        id: Its id.
        videos: Paths of videos and images, in the order of their tags.
        bounds: For each of them the part (start, end) in seconds, or None for all of it.
        raw_caption: What was said before; empty if nothing.
    """

    row: dict[str, Any]
    id: str
    videos: Sequence[str]
    bounds: Sequence[tuple[float, float] | None]
    raw_caption: str

    def captioned(self, caption: str, made: dict[str, Any]) -> dict[str, Any]:
        """The annotation with a new caption for its reply.

        Args:
            caption: The new one.
            made: How it was made, kept under ``recaption``.
        """
        turns = [*_question(self.row), {"from": "gpt", "value": caption}]
        return self.row | {
            "id": self.id,
            "conversations": turns,
            "raw_caption": self.row.get("raw_caption", self.raw_caption),  # of data captioned twice, the first
            "recaption": made,
        }


class Samples:
    """The samples of an annotation file, read when asked for; each has a key that tells it from all others.

    A key stands for a sample's id and files, so it survives that rows are added, removed or moved.

    Args:
        path: JSON, JSONL or whatever else :func:`open_annotations` takes.
        data_root: What paths in it are relative to.
        format: Config of the rows' format. Default: found by their keys.
    """

    def __init__(self, path: str | Path, data_root: str = "", format: dict[str, Any] | None = None) -> None:
        self._file = open_annotations(path)
        self._root = data_root
        self._format = build_format(format)
        self._stem = Path(path).stem

    def __len__(self) -> int:
        return len(self._file)

    def __getitem__(self, index: int) -> Sample:
        """Read sample ``index``.

        Raises:
            ValueError: If it is not usable; the message names the place and what was expected.
        """
        row = self._row(index)
        try:
            item = parse_sample(row | {"conversations": _question(row)}, self._root, answered=False)
        except ValueError as error:
            raise ValueError(f"{self._file.where(index)}: {error}") from error
        if not item["videos"]:
            raise ValueError(f"{self._file.where(index)}: names neither a video nor an image")
        bounds = item.get("bounds") or [None] * len(item["videos"])
        return Sample(row, item["id"], item["videos"], bounds, "\n".join(_texts(row, "assistant")))

    def named(self, index: int) -> dict[str, Any]:
        """What tells people which sample ``index`` is: its ``id`` and files, as far as its row can be read."""
        try:
            row = self._row(index)
        except ValueError:
            return {"id": self._number(index)}
        return {"id": str(row["id"])} | {kind: row[kind] for kind in ("video", "image") if row.get(kind)}

    def keys(self) -> np.ndarray:
        """(N,) uint64, different for all samples; samples alike in id and files are numbered in their order."""
        rows = track(range(len(self)), "reading the annotation") if len(self) > _MANY else range(len(self))
        base = np.fromiter((self._digest(index) for index in rows), np.uint64, len(self))
        order = np.argsort(base, kind="stable")
        first = np.searchsorted(base[order], base[order], side="left")
        base[order] += (np.arange(len(base)) - first).astype(np.uint64)
        return base

    def _digest(self, index: int) -> int:
        try:
            row = self._row(index)
            identity = [str(row["id"]), row.get("video"), row.get("image"), row.get("bounds")]
        except ValueError:
            identity = [index]
        text = json.dumps(identity, default=str)
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")

    def _row(self, index: int) -> dict[str, Any]:
        """Row ``index`` in LLaVA's form; as it is if it has no text, which is no fault here, but names a file."""
        row = self._file[index]
        try:
            row = self._format.convert(row)
        except ValueError as error:
            if not any(row.get(kind) for kind in _KINDS):
                raise ValueError(f"{self._file.where(index)}: {error}") from error
        return named(row, self._number(index))

    def _number(self, index: int) -> str:
        return f"{self._stem}-{index}"


_KINDS = ("image", "video")
_MANY = 100_000
"""Samples from which on reading them all is shown."""


def _question(row: dict[str, Any]) -> list[dict[str, str]]:
    """What stands before the caption: one tag for each file that a row names, of the file's kind.

    In a row that names both kinds they are in the order of its own tags, if these fit the files.
    """
    files = {kind: row[kind] if isinstance(row[kind], list) else [row[kind]] for kind in _KINDS if row.get(kind)}
    tags = [f"<{kind}>" for kind in files for _ in files[kind]]
    own = _TAG.findall("".join(_texts(row, "user")))
    return [{"from": "human", "value": "\n".join(own if sorted(own) == tags else tags)}]


def _texts(row: dict[str, Any], role: str) -> list[str]:
    """What a role says in the conversation of a row; turns that cannot be read are passed over."""
    turns = row.get("conversations")
    read = [turn for turn in turns if isinstance(turn, dict)] if isinstance(turns, list) else []
    said = [turn.get("value", turn.get("content")) for turn in read if _role(turn) == role]
    return [text.strip() for text in said if isinstance(text, str)]


def _role(turn: dict[str, Any]) -> str | None:
    return ROLES.get(str(turn.get("from", turn.get("role"))))
