"""A tar shard in WebDataset's layout as a file of annotations, with the media beside them."""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from elva.utils.media_path import member_path

from ..conversation import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from ..webdataset import Member, read_member, shard_index
from .base import AnnotationFile, check_exists
from .json_object import json_object

_MEDIA = {"video": VIDEO_SUFFIXES, "image": IMAGE_SUFFIXES}


class TarShard(AnnotationFile):
    """The samples of a shard: consecutive members whose names are equal up to the first dot.

    A row is the sample's ``.json``; where that is missing or has no conversations, the text of the sample's ``.txt`` is
    its ``caption``. The media that it names are the sample's own, ``train.tar::000123.mp4`` and so on, in the order in
    which the row names them (by the names of the files; else, as they stand in the shard).

    Opening a shard reads the headers of its members and nothing else. One that was cut goes as far as it goes: the log
    says where it ends, and a sample whose member is incomplete fails when it is read.

    Args:
        path: The shard; not compressed.

    Attributes:
        index: Where the samples lie.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no tar file, or the members of a sample are not next to each other.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = check_exists(path)
        self.index = shard_index(self.path)
        if self.index.damage:
            text = f"Shard {self.path} is damaged: {self.index.damage}. Samples found before: {len(self)}."
            print_log(text, "current", logging.WARNING)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: int) -> dict[str, Any]:
        members = self.index.members(index)
        try:
            row = self._row({member.extension: member for member in members})
        except (ValueError, OSError) as error:
            raise ValueError(f"{self.where(index)}: {error}") from error
        for kind, suffixes in _MEDIA.items():
            own = [member.name for member in members if os.path.splitext(member.name)[1].lower() in suffixes]
            if own:
                row[kind] = [member_path(os.path.abspath(self.path), name) for name in _ordered(own, row.get(kind))]
        return row

    def where(self, index: int) -> str:
        first = self.index.members(index)[0]
        return f"{self.path}: sample '{first.key}' (byte {first.offset})"

    def name(self, index: int) -> str:
        return f"{self.path.stem}/{self.index.members(index)[0].key}"

    def digest(self) -> str:
        """SHA-256 of the names and sizes of the members: the content may be terabytes."""
        return hashlib.sha256(self.index.names + self.index.sizes.tobytes()).hexdigest()

    def _row(self, members: dict[str, Member]) -> dict[str, Any]:
        if not {"json", "txt"} & set(members):
            raise ValueError(f"has neither .json nor .txt (but: {', '.join(members)})")
        row = self._object(members["json"]) if "json" in members else {}
        if "txt" in members and "conversations" not in row:
            row["caption"] = read_member(self.path, members["txt"]).decode().strip()
        return row

    def _object(self, member: Member) -> dict[str, Any]:
        content = read_member(self.path, member)
        try:
            return json_object(content)
        except json.JSONDecodeError as error:
            raise ValueError(f"the .json is not JSON: {error}") from error
        except ValueError as error:
            raise ValueError(f"the .json {error}") from error


def _ordered(own: list[str], named: Any) -> list[str]:
    """The sample's files in the order in which the row names them, if it does."""
    names = [named] if isinstance(named, str) else named if isinstance(named, Sequence) else []
    places = {os.path.basename(str(name)): place for place, name in enumerate(names)}
    return sorted(own, key=lambda name: places.get(os.path.basename(name), len(places)))
