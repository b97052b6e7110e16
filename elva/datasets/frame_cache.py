"""Decoded frames on disk: the second epoch decodes nothing. Legend: T frames, H and W their size."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from elva.structures import Clip, FramePlan, VideoMeta
from elva.utils.digests import file_digest
from elva.utils.media_path import path_identity
from elva.utils.tensor_store import TensorStore

from .open_video import OpenVideo
from .readers import VideoReader, VideoReadError

_VERSION = 1
"""Goes up when decoding or resizing gives other pixels than before: what is stored then counts for nothing."""
_HARMLESS = ("threads", "timeout")
"""Arguments of readers that change no pixel."""


class FrameCache:
    """The frames that a pipeline got, as it got them (resized, uint8), by content of the file, plan and reader.

    Two steps. What stands under a file's *identity* (path, size, time of change) is its metadata and the digest of its
    content; under the *digest*, the plan and the reader's config are the frames and their times. So a file is
    digested once, and a known one is not even opened; and one that was copied, moved or touched is digested again,
    but not decoded. A folder of frames is told by the identity of its files alone.

    Frames are stored as they are, 3 bytes a pixel: reading them back costs less than a hundredth of decoding, and
    compression would cost more time than it saves (see docs/frame_cache.md).

    Args:
        reader: The reader's config: its type and arguments.
        directory: Where to keep the files; created when the first one is written.
        max_bytes: Above this, what was not used for longest is deleted. Default: None, no limit.
    """

    def __init__(self, reader: Mapping[str, Any], directory: str, max_bytes: int | None = None) -> None:
        self.store = TensorStore(directory, max_bytes, "Frame cache")
        self.reader = [_VERSION, sorted((key, str(value)) for key, value in reader.items() if key not in _HARMLESS)]

    def key(self, *parts: Any) -> str:
        """The key of what the reader makes of ``parts``."""
        return hashlib.sha256(json.dumps([self.reader, *parts]).encode()).hexdigest()


class CachedVideo(OpenVideo):
    """A video that is looked up before it is read.

    Args:
        name: As of :class:`OpenVideo`.
        reader: What reads it where it is not known.
        cache: Where to look, and where to keep what was read.
    """

    def __init__(self, name: str, reader: VideoReader, cache: FrameCache) -> None:
        super().__init__(name, reader)
        self._cache = cache

    def clip(self, plan: FramePlan) -> Clip:
        key = self._cache.key(self._facts["digest"], plan.seconds, plan.sizes)
        stored = self._cache.store.get(key)
        if stored is not None:
            return _unpacked(stored, plan, self.name)
        clip = super().clip(plan)
        self._cache.store.put(key, _packed(clip))
        return clip

    def _probe(self) -> VideoMeta:
        return VideoMeta(path=self.name, **self._facts["meta"])

    @cached_property
    def _facts(self) -> dict[str, Any]:
        """``meta``, all of it but the path, and ``digest``."""
        try:
            key = self._cache.key(path_identity(self.name))
            stored = self._cache.store.get(key)
            if stored is not None:
                facts: dict[str, Any] = json.loads(bytes(stored["facts"].numpy()))
                return facts
            facts = {"meta": asdict(super()._probe()), "digest": _digest(self.path)}
        except OSError as error:
            raise VideoReadError(
                f"{self.name}: cannot be found ({error.strerror}). Check the path in the annotation and the data root."
            ) from error
        del facts["meta"]["path"]
        self._cache.store.put(
            key, {"facts": torch.frombuffer(bytearray(json.dumps(facts).encode()), dtype=torch.uint8)}
        )
        return facts


def _digest(path: str) -> str:
    """A digest of a file's content."""
    if Path(path).is_dir():
        return hashlib.sha256(json.dumps(path_identity(path)).encode()).hexdigest()
    return file_digest(Path(path))


def _packed(clip: Clip) -> dict[str, Tensor]:
    """Frames (T, H, W, 3) by size, which is how they lie in memory, and the true times."""
    frames = {f"frames{number}": pixels.permute(0, 2, 3, 1) for number, pixels in enumerate(clip.pixels)}
    return frames | {"seconds": torch.tensor(clip.plan.seconds, dtype=torch.float64)}


def _unpacked(tensors: Mapping[str, Tensor], plan: FramePlan, name: str) -> Clip:
    plan = replace(plan, seconds=tuple(tensors["seconds"].tolist()))
    pixels = tuple(tensors[f"frames{number}"].permute(0, 3, 1, 2) for number in range(len(tensors) - 1))
    return Clip(plan, pixels, name)
