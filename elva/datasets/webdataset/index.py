"""Where the samples of a tar shard lie."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from elva.utils.media_path import path_identity

from ..annotations.cached import cached
from .headers import Member, read_headers

Identity = list[tuple[str, int, int]]

_CHUNK = 1 << 22


@dataclass(frozen=True)
class ShardIndex:
    """The samples of a shard: consecutive members with one key. Arrays, not objects: some 40 bytes a member.

    Attributes:
        path: The shard.
        names: The names of the M members, with a zero byte before, between and after them.
        starts: (M + 1,) where each name starts in ``names``.
        offsets: (M,) first byte of each member.
        sizes: (M,) bytes of each member.
        first: (S + 1,) the first member of each sample, and M.
        damage: What is wrong with the shard; empty if nothing is.
    """

    path: str
    names: bytes
    starts: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    first: np.ndarray
    damage: str = ""

    def __len__(self) -> int:
        return len(self.first) - 1

    def members(self, sample: int) -> list[Member]:
        """The members of a sample, as they stand in the shard."""
        return [self._member(number) for number in range(self.first[sample], self.first[sample + 1])]

    def find(self, name: str) -> Member:
        """The member called ``name``.

        Raises:
            ValueError: If there is none.
        """
        place = self.names.find(b"\0" + os.fsencode(name) + b"\0")
        if place < 0:
            raise ValueError(f"{self.path} has no member '{name}'")
        return self._member(self.names.count(b"\0", 0, place))

    def _member(self, number: int) -> Member:
        name = self.names[self.starts[number] : self.starts[number + 1] - 1]
        return Member(os.fsdecode(name), int(self.offsets[number]), int(self.sizes[number]))


_known: dict[str, tuple[Identity, ShardIndex]] = {}
"""Indices of this process, which a data loader's workers inherit, with the identities of their files."""


def shard_index(path: str | Path) -> ShardIndex:
    """The index of a shard, made once while the file is the same: it is kept in the user's cache folder.

    Raises:
        OSError: If there is no such file.
        ValueError: If it is no tar file, or the members of a sample are not next to each other.
    """
    path = str(path)
    identity = path_identity(path)
    if path not in _known or _known[path][0] != identity:
        _known[path] = identity, _kept(path)
    return _known[path][1]


def read_member(path: str | Path, member: Member) -> bytes:
    """The content of a member.

    Raises:
        OSError: If the shard cannot be read.
        ValueError: If it ends inside of the member.
    """
    return b"".join(_chunks(path, member))


def copy_member(shard: str, name: str, target: str) -> None:
    """Write the member ``name`` of ``shard`` to a new file ``target``. Errors as of :func:`read_member`."""
    with open(target, "wb") as file:
        for chunk in _chunks(shard, shard_index(shard).find(name)):
            file.write(chunk)


def _chunks(path: str | Path, member: Member) -> Iterator[bytes]:
    with open(path, "rb", buffering=0) as shard:
        shard.seek(member.offset)
        left = member.size
        while left:
            chunk = shard.read(min(left, _CHUNK))
            if not chunk:
                raise ValueError(
                    f"{path} ends inside of '{member.name}': {left} of its {member.size} bytes from byte "
                    f"{member.offset} on are missing. Fetch the shard again."
                )
            left -= len(chunk)
            yield chunk


def _made(path: str) -> ShardIndex:
    members, damage = read_headers(path)
    keys = [member.key for member in members]
    first = [0, *(number for number, (a, b) in enumerate(pairwise(keys), 1) if a != b), len(keys)] if keys else [0]
    _refuse_scattered(path, [keys[number] for number in first[:-1]])
    names = [os.fsencode(member.name) for member in members]
    return ShardIndex(
        path=path,
        names=b"\0" + b"".join(name + b"\0" for name in names),
        starts=np.cumsum([1, *(len(name) + 1 for name in names)], dtype=np.int64),
        offsets=np.array([member.offset for member in members], np.int64),
        sizes=np.array([member.size for member in members], np.int64),
        first=np.array(first, np.int64),
        damage=damage,
    )


def _refuse_scattered(path: str, keys: Sequence[str]) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise ValueError(
                f"{path}: the members of sample '{key}' are not next to each other. "
                "Make the shard with tar's --sort=name, or name the files in that order."
            )
        seen.add(key)


def _kept(path: str) -> ShardIndex:
    """The index, made now or by an earlier process."""
    try:
        file = cached(Path(path), ".v1.npz", lambda target: _save(target, _made(path)))
    except OSError:  # no place to keep it
        return _made(path)
    with np.load(file) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    names, damage = found.pop("names").tobytes(), found.pop("damage").tobytes().decode()
    return ShardIndex(path, names, damage=damage, **found)


def _save(target: Path, index: ShardIndex) -> None:
    texts = {"names": index.names, "damage": index.damage.encode()}
    arrays: dict[str, Any] = {key: getattr(index, key) for key in ("starts", "offsets", "sizes", "first")}
    arrays |= {key: np.frombuffer(text, np.uint8) for key, text in texts.items()}
    with target.open("wb") as file:
        np.savez(file, **arrays)
