"""A teacher's features on disk: a frozen teacher says the same of the same frames every epoch.

Legend: V videos, T frames of the longest, S side in pixels, h w the teacher's map, D its width.
"""

import hashlib
import json
from collections.abc import Callable, Sequence

from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from elva.structures import Clip, FramePlan
from elva.utils.media_path import path_identity
from elva.utils.tensor_store import TensorStore

from .base import Teacher


class FeatureCache:
    """A teacher's features by key, in a :class:`~elva.utils.tensor_store.TensorStore`.

    Features depend on the frames that the plan names; a pipeline that changes pixels at random (flips, colour jitter)
    must not use a cache.

    Args:
        directory: Where to keep the files; created when the first one is written.
        max_bytes: Above this, the files that were not used for longest are deleted. Default: None, no limit.
    """

    def __init__(self, directory: str, max_bytes: int | None = None) -> None:
        self._store = TensorStore(directory, max_bytes, "Feature cache")

    def get_or_compute(self, keys: Sequence[str], compute: Callable[[list[int]], Sequence[Tensor]]) -> list[Tensor]:
        """The tensor of each key, on the CPU where it was stored, as computed where it was not.

        Args:
            keys: From :func:`feature_key`.
            compute: Called at most once, with the places in ``keys`` of those that are not stored; returns a tensor
                for each (a stacked tensor will do).
        """
        stored = [self._store.get(key) for key in keys]
        found = [tensors["features"] if tensors else None for tensors in stored]
        missing = [place for place, tensor in enumerate(found) if tensor is None]
        if missing:
            for place, tensor in zip(missing, compute(missing), strict=True):
                found[place] = tensor
                self._store.put(keys[place], {"features": tensor})
        return [tensor for tensor in found if tensor is not None]


def feature_key(path: str, plan: FramePlan, identity: str) -> str:
    """The cache key of a teacher's features of a clip.

    A video is told by its absolute path, size and time of change, not by its content: reading gigabytes to save a
    teacher's pass would cost more than the pass. A file that is copied or touched is computed anew.

    Args:
        path: Video file, folder of frames, or member of a tar shard.
        plan: Which frames, at which sizes.
        identity: The teacher's ``identity``.
    """
    parts = [path_identity(path), plan.seconds, plan.sizes, identity]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


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
