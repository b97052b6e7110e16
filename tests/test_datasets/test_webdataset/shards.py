"""Shards written member by member, as WebDataset's writer and the ``tar`` command do."""

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def write_shard(path: Path, members: Iterable[tuple[str, bytes]], format: int = tarfile.PAX_FORMAT) -> Path:
    """A tar file with ``members``, names and contents, in this order."""
    with tarfile.open(path, "w", format=format) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def captioned(key: str, media: bytes = b"pixels", suffix: str = "mp4") -> list[tuple[str, bytes]]:
    """The members of a sample whose caption is its key."""
    return [(f"{key}.{suffix}", media), (f"{key}.txt", key.encode())]


def conversation(row: Mapping[str, Any]) -> bytes:
    """A ``.json`` of LLaVA's form; keys of ``row`` come on top."""
    turns = [{"from": "human", "value": "<video>\nWhat?"}, {"from": "gpt", "value": "That."}]
    return json.dumps({"conversations": turns, **row}).encode()


def write_shards(folder: Path, sizes: Iterable[int], media: bytes = b"pixels") -> list[str]:
    """Shards ``00000.tar`` and so on with so many captioned samples; keys count through all of them."""
    paths, number = [], 0
    for index, size in enumerate(sizes):
        keys = range(number, number := number + size)
        members = [member for key in keys for member in captioned(f"{key:06d}", media)]
        paths.append(str(write_shard(folder / f"{index:05d}.tar", members)))
    return paths
