"""Files that are made once from an annotation file, and used again by every later run."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from elva.utils.cache_folder import cache_folder
from elva.utils.media_path import path_identity


def cached(path: Path, suffix: str, make: Callable[[Path], None]) -> Path:
    """Return the file that ``make`` derives from ``path``; it is made when ``path`` is new or was changed.

    It lies in ``annotations`` of the user's cache folder. A reader never sees half of one (it is written beside, then
    renamed); of several processes that need it at once one makes it and the others wait; the one of an earlier state
    of ``path`` is deleted.

    Args:
        path: The annotation file. What tells its state are its absolute path, size and time of change.
        suffix: Of the file that is made; it tells the kind and the version of what is in it.
        make: Writes the file, given the path to write to.

    Raises:
        OSError: If the folder cannot be written to.
    """
    folder = cache_folder() / "annotations"
    prefix = f"{path.stem}-{_hash(str(path.resolve()))}"
    made = folder / f"{prefix}-{_hash(repr(path_identity(str(path))))}{suffix}"
    if made.exists():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder / f"{prefix}{suffix}.lock"):
        if not made.exists():
            _make(made, make)
            for old in folder.glob(f"{prefix}-*{suffix}"):
                if old != made:
                    old.unlink(missing_ok=True)
    return made


def _make(made: Path, make: Callable[[Path], None]) -> None:
    handle, name = tempfile.mkstemp(dir=made.parent, suffix=".part")
    os.close(handle)
    try:
        make(Path(name))
        os.replace(name, made)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Wait for other processes; where the file system knows no locks, each makes its own."""
    with path.open("w") as file:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
