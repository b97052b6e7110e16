"""A teacher's features on disk: a frozen teacher says the same of the same frames every epoch.

Legend: V videos, T frames of the longest, S side in pixels, h w the teacher's map, D its width.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.logging import MMLogger
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from elva.structures import Clip, FramePlan

from .base import Teacher


class FeatureCache:
    """Tensors by key, one safetensors file each, shared by processes and runs.

    A file appears in one step (written beside, then renamed), so a reader never sees half of one. Whatever goes wrong
    with a file costs a computation, never a run: an unreadable one is deleted, a full disk ends the storing, and the
    log says so. Features depend on the frames that the plan names; a pipeline that changes pixels at random (flips,
    colour jitter) must not use a cache.

    Args:
        directory: Where to keep the files; created when the first one is written.
        max_bytes: Above this, the files that were not used for longest are deleted. Default: None, no limit.
    """

    def __init__(self, directory: str, max_bytes: int | None = None) -> None:
        self.directory = Path(directory)
        self.max_bytes = max_bytes
        self._bytes = sum(size for _, size, _ in self._files()) if max_bytes is not None else 0
        self._storing = True

    def get_or_compute(self, keys: Sequence[str], compute: Callable[[list[int]], Sequence[Tensor]]) -> list[Tensor]:
        """The tensor of each key, on the CPU where it was stored, as computed where it was not.

        Args:
            keys: From :func:`feature_key`.
            compute: Called at most once, with the places in ``keys`` of those that are not stored; returns a tensor
                for each (a stacked tensor will do).
        """
        found = [self._load(key) for key in keys]
        missing = [place for place, tensor in enumerate(found) if tensor is None]
        if missing:
            for place, tensor in zip(missing, compute(missing), strict=True):
                found[place] = tensor
                self._store(keys[place], tensor)
        return [tensor for tensor in found if tensor is not None]

    def _path(self, key: str) -> Path:
        return self.directory / key[:2] / f"{key}.safetensors"

    def _load(self, key: str) -> Tensor | None:
        path = self._path(key)
        try:
            tensor = load_file(path)["features"]
            if self.max_bytes is not None:
                os.utime(path)  # used now
            return tensor
        except FileNotFoundError:
            return None
        except (SafetensorError, KeyError, OSError) as error:
            MMLogger.get_current_instance().warning(f"Feature cache: {path} is unreadable ({error}); made anew.")
            path.unlink(missing_ok=True)
            return None

    def _store(self, key: str, tensor: Tensor) -> None:
        if not self._storing:
            return
        path = self._path(key)
        temporary = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
            os.close(handle)
            save_file({"features": tensor.detach().cpu().contiguous()}, temporary)
            size = os.path.getsize(temporary)
            os.replace(temporary, path)
        except (OSError, SafetensorError) as error:
            self._storing = False
            if temporary:
                Path(temporary).unlink(missing_ok=True)
            MMLogger.get_current_instance().warning(f"Feature cache: {path} cannot be written ({error}); storing ends.")
            return
        self._bytes += size
        if self.max_bytes is not None and self._bytes > self.max_bytes:
            self._evict(int(self.max_bytes * 0.9))

    def _evict(self, target: int) -> None:
        """Delete the files unused for longest until at most ``target`` bytes are left."""
        files = sorted(self._files())
        self._bytes = sum(size for _, size, _ in files)  # other processes write here too
        for _, size, path in files:
            if self._bytes <= target:
                break
            path.unlink(missing_ok=True)
            self._bytes -= size

    def _files(self) -> list[tuple[float, int, Path]]:
        """(time of last use, bytes, path) of every file."""
        files = []
        for path in self.directory.glob("*/*.safetensors"):
            try:
                stat = path.stat()
            except FileNotFoundError:  # another process deleted it
                continue
            files.append((stat.st_mtime, stat.st_size, path))
        return files


def feature_key(path: str, plan: FramePlan, identity: str) -> str:
    """The cache key of a teacher's features of a clip.

    A video is told by its absolute path, size and time of change, not by its content: reading gigabytes to save a
    teacher's pass would cost more than the pass. A file that is copied or touched is computed anew.

    Args:
        path: Video file, or folder of frames.
        plan: Which frames, at which sizes.
        identity: The teacher's ``identity``.
    """
    file = Path(path).resolve()
    entries = sorted(file.iterdir()) if file.is_dir() else [file]
    stats = [(str(entry), entry.stat().st_size, entry.stat().st_mtime_ns) for entry in entries]
    return hashlib.sha256(json.dumps([stats, plan.seconds, plan.sizes, identity]).encode()).hexdigest()


def cached_features(cache: FeatureCache, teacher: Teacher, clips: Sequence[Clip], frames_VTCHW: Tensor) -> Tensor:
    """What ``teacher(frames_VTCHW)`` returns, (V, T, h, w, D), computed only for the clips that ``cache`` lacks.

    Args:
        cache: Where to look, and where to keep what was computed.
        teacher: With an ``identity``, as those of this folder have.
        clips: V clips with paths.
        frames_VTCHW: (V, T, 3, S, S) their frames, from :func:`teacher_frames`. Features of padding are 0.
    """

    def compute(missing: list[int]) -> list[Tensor]:
        features = teacher(frames_VTCHW[missing])
        return [feature[: len(clips[v].plan)] for feature, v in zip(features, missing, strict=True)]

    keys = [feature_key(clip.path, clip.plan, str(teacher.identity)) for clip in clips]
    features = cache.get_or_compute(keys, compute)
    return pad_sequence([feature.to(frames_VTCHW.device) for feature in features], batch_first=True)
