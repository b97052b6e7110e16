"""Tensors on disk by key: what the caches of this toolkit are made of."""

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from mmengine.logging import MMLogger
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

_LOOK_EVERY = 0.02
"""A process looks at the whole folder each time it has itself written this share of ``max_bytes``."""
_KEPT = 0.9
"""Share of ``max_bytes`` that is left after deleting, so that not every new file makes an old one go."""


class TensorStore:
    """A few tensors by key, one safetensors file a key, shared by processes and runs.

    A file appears in one step (written beside, then renamed), so a reader never sees half of one. Whatever goes wrong
    with a file costs a computation, never a run: an unreadable one is replaced, a full disk ends the storing, and the
    log says so.

    Args:
        directory: Where to keep the files; created when the first one is written.
        max_bytes: Above this, the files that were not used for longest are deleted. Several processes may together
            exceed it by 2 % each before one of them notices. Default: None, no limit.
        name: What is stored, for messages.
    """

    def __init__(self, directory: str | Path, max_bytes: int | None = None, name: str = "Tensor store") -> None:
        if max_bytes is not None and max_bytes <= 0:
            raise ValueError(f"{name}: max_bytes must be positive (None for no limit), got {max_bytes}")
        self.directory = Path(directory)
        self.max_bytes = max_bytes
        self.name = name
        self._unseen: float | None = None  # bytes written since the last look at the folder; None: never looked
        self._storing = True

    def get(self, key: str) -> dict[str, Tensor] | None:
        """What was stored as ``key``, or None. The tensors are views of the file: they are read when they are used."""
        path = self._path(key)
        try:
            tensors: dict[str, Tensor] = load_file(path)
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError) as error:
            self._warn(f"{path} is unreadable ({error}); made anew.")
            return None
        if self.max_bytes is not None:
            with suppress(OSError):  # deleted meanwhile, or another user's
                os.utime(path)  # used now
        return tensors

    def put(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        """Store ``tensors`` as ``key`` (of at least two characters that may stand in a file's name)."""
        nbytes = sum(tensor.nbytes for tensor in tensors.values())
        if not self._storing or (self.max_bytes is not None and nbytes > self.max_bytes):
            return
        path = self._path(key)
        temporary = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
            os.close(handle)
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary)
            size = os.path.getsize(temporary)
            os.replace(temporary, path)
        except (OSError, SafetensorError) as error:
            self._storing = False
            if temporary:
                Path(temporary).unlink(missing_ok=True)
            self._warn(f"{path} cannot be written ({error}); storing ends.")
            return
        self._make_room(size)

    def _path(self, key: str) -> Path:
        return self.directory / key[:2] / f"{key}.safetensors"

    def _make_room(self, written: int) -> None:
        """Keep the folder within ``max_bytes``; ``written`` are the bytes of the newest file."""
        if self.max_bytes is None:
            return
        if self._unseen is not None and self._unseen + written < _LOOK_EVERY * self.max_bytes:
            self._unseen += written
            return
        self._unseen = 0
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)  # other processes write here too
        if total <= self.max_bytes:
            return
        for _, size, path in files:
            with suppress(OSError):  # deleted meanwhile, or another user's
                path.unlink()
            total -= size
            if total <= _KEPT * self.max_bytes:
                break

    def _files(self) -> list[tuple[float, int, Path]]:
        """(time of last use, bytes, path) of every file, those that a killed process left half written among them."""
        files = []
        for path in self.directory.glob("??/*"):
            try:
                stat = path.stat()
            except FileNotFoundError:  # another process deleted it
                continue
            files.append((stat.st_mtime, stat.st_size, path))
        return files

    def _warn(self, text: str) -> None:
        MMLogger.get_current_instance().warning(f"{self.name}: {text}")
