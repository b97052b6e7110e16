"""Paths of media: a file, a folder of frames, or a member of a tar shard (``train/00003.tar::000123.mp4``)."""

from pathlib import Path

_SHARD = ".tar"
_INSIDE = "::"


def member_path(shard: str | Path, member: str) -> str:
    """The path of a member of a tar shard, as annotations and records name it."""
    return f"{shard}{_INSIDE}{member}"


def split_member(path: str) -> tuple[str, str] | None:
    """The shard and the member's name that ``path`` stands for; None where it is a path of the file system."""
    shard, found, member = path.partition(_SHARD + _INSIDE)
    return (shard + _SHARD, member) if found else None


def path_identity(path: str) -> list[tuple[str, int, int]]:
    """What tells a video from all others without reading it: absolute path, size and time of change (ns).

    Args:
        path: A file; a folder of frames, which is told by all of its files; or a member of a shard, which is told by
            its name and the whole shard.

    Raises:
        OSError: If there is no such file.
    """
    place = split_member(path)
    file = Path(place[0] if place else path).resolve()
    entries = sorted(file.iterdir()) if file.is_dir() else [file]
    stats = [(entry, entry.stat()) for entry in entries]
    identity = [(str(entry), stat.st_size, stat.st_mtime_ns) for entry, stat in stats]
    return [*identity, (place[1], 0, 0)] if place else identity
