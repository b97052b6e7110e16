"""The headers of a tar shard: which files lie where. No content is read."""

import os
import re
import tarfile
from pathlib import Path
from typing import NamedTuple

_BLOCK = 512
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_META = re.compile(r"(^|/)__[^/.]*__($|[/.])")


class Member(NamedTuple):
    """A file inside of a shard.

    Attributes:
        name: With its folders; a leading ``./`` is dropped.
        offset: Its first byte in the shard.
        size: In bytes.
    """

    name: str
    offset: int
    size: int

    @property
    def key(self) -> str:
        """What the members of one sample share: all up to the first dot of the file's own name."""
        folder, slash, file = self.name.rpartition("/")
        return folder + slash + file.partition(".")[0]

    @property
    def extension(self) -> str:
        """What comes after that dot, in small letters (``json``, ``left.jpg``)."""
        return self.name.rpartition("/")[2].partition(".")[2].lower()


def read_headers(path: str | Path) -> tuple[list[Member], str]:
    """The members of a shard, as they stand in it, and what is wrong with it ("" if nothing is).

    Left out are, as WebDataset does, folders and links, names without a dot or that begin with one, and names with a
    part like ``__this__``. A shard that was cut has the members up to there; the last one may be cut itself.

    Raises:
        ValueError: If the file is no tar file, a compressed one, or has sparse members.
    """
    size = os.path.getsize(path)
    if size < _BLOCK:
        return [], f"it ends at byte {size}, before the first member"
    members: list[Member] = []
    try:
        with tarfile.open(path, "r:") as tar:
            for item in tar:
                if item.issparse():
                    raise ValueError(f"{path}: '{item.name}' is stored sparsely. Make the shard without --sparse.")
                name = item.name.removeprefix("./")
                if item.isreg() and _is_part(name):
                    members.append(Member(name, item.offset_data, item.size))
                if item.isreg() and item.offset_data + item.size > size:
                    return members, f"it ends at byte {size}, inside of '{name}' (from byte {item.offset_data} on)"
            return members, _end(path, tar.offset)
    except tarfile.ReadError as error:
        _refuse_others(path, error)
        end = members[-1].offset + members[-1].size if members else 0
        return members, f"what follows byte {end} cannot be read ({error})"


def _is_part(name: str) -> bool:
    file = name.rpartition("/")[2]
    return "." in file[1:] and not file.startswith(".") and _META.search(name) is None


def _end(path: str | Path, offset: int) -> str:
    """What is wrong with the end of the members at byte ``offset``: a block of zeros should stand there."""
    with open(path, "rb") as file:
        file.seek(offset)
        block = file.read(_BLOCK)
    if not block:
        return f"it ends at byte {offset} without an end mark, so it may have been cut there"
    return f"what stands at byte {offset} is no header, the rest is lost" if any(block) else ""


def _refuse_others(path: str | Path, error: tarfile.ReadError) -> None:
    """Raise ``ValueError`` if the file does not begin as a tar file does."""
    with open(path, "rb") as file:
        start = file.read(_BLOCK)
    if start[257:262] != b"ustar":
        packed = next((name for magic, name in _PACKED.items() if start.startswith(magic)), None)
        hint = f" but {packed}: unpack it, so that a member can be found by its place" if packed else ""
        raise ValueError(f"{path} is no tar file{hint} ({error})") from error
