"""Reads the frames of a sample's videos. Legend: T frames, H and W their size."""

from dataclasses import replace
from typing import Any

import torch
from mmcv.transforms import BaseTransform

from elva.registry import FRAME_SAMPLERS, RESOLUTION_SCHEDULERS, TRANSFORMS, VIDEO_READERS
from elva.structures import Clip, FramePlan, VideoMeta

from ..frame_cache import CachedVideo, FrameCache
from ..open_video import OpenVideo
from .blank_frames import GREY

_CACHE = {"directory", "max_bytes"}
_UNREAD = VideoMeta(path="", duration=0.0, fps=0.0, height=224, width=224, codec="image")
"""Stands in for the metadata of a video that cannot be read."""


@TRANSFORMS.register_module()
class LoadVideo(BaseTransform):
    """Adds ``clips``: of each of ``videos`` the frames that the sampler chose, in the sizes that the scheduler chose.

    Where an item has ``bounds``, a pair (start, end) in seconds or None for each video, only that part of it is looked
    at: the sampler is told of a video as long as the part. For a sample that failed before (key ``error``), every clip
    is one blank frame.

    Args:
        reader: Config of a video reader; it reads images as well, as one-frame videos.
        sampler: Config of a frame sampler.
        resolution: Config of a resolution scheduler.
        cache: ``directory`` and (optionally) ``max_bytes`` of a :class:`FrameCache`, which keeps the frames on disk, so
            that no video is decoded twice. Default: none.
    """

    def __init__(
        self,
        reader: dict[str, Any],
        sampler: dict[str, Any],
        resolution: dict[str, Any],
        cache: dict[str, Any] | None = None,
    ) -> None:
        self.reader = VIDEO_READERS.build(reader)
        if cache is not None and not (isinstance(cache, dict) and {"directory"} <= set(cache) <= _CACHE):
            raise ValueError(f"LoadVideo: cache must be dict(directory=...), with max_bytes if you like, got {cache!r}")
        self.cache = None if cache is None else FrameCache(reader, **cache)
        self.sampler = FRAME_SAMPLERS.build(sampler)
        self.resolution = RESOLUTION_SCHEDULERS.build(resolution)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return ``results`` with ``clips``.

        Raises:
            VideoReadError: If a video cannot be read.
        """
        if "error" in results:
            clips = [self._blank(path) for path in results["videos"]]
        else:
            query = next((t["content"] for t in reversed(results["conversations"]) if t["role"] == "user"), None)
            bounds = results.get("bounds") or [None] * len(results["videos"])
            clips = [self.load(path, query, part) for path, part in zip(results["videos"], bounds, strict=True)]
        return results | {"clips": clips}

    def plan(self, path: str, query: str | None = None, bounds: tuple[float, float] | None = None) -> FramePlan:
        """Return the frames that :meth:`load` would read, from the video's metadata alone.

        Args:
            path: A video, an image, or whatever the reader takes.
            query: The question, for samplers that choose by it.
            bounds: First and last second of the part that is looked at. Default: the whole video.

        Raises:
            ValueError: If the part is empty or begins behind the video's end.
        """
        with self.open(path) as video:
            return self.plan_of(video.meta, query, bounds)

    def plan_of(
        self, meta: VideoMeta, query: str | None = None, bounds: tuple[float, float] | None = None
    ) -> FramePlan:
        """The same where the metadata is known; nothing is read. Arguments and errors as in :meth:`plan`."""
        start, part = _part(meta, bounds)
        plan = self.resolution.assign(self.sampler.plan(part, query), part)
        return replace(plan, seconds=tuple(start + second for second in plan.seconds)) if start else plan

    def load(self, path: str, query: str | None = None, bounds: tuple[float, float] | None = None) -> Clip:
        """Return the clip of one video; its plan has the true times of the frames. Arguments as in :meth:`plan`."""
        with self.open(path) as video:
            return video.clip(self.plan_of(video.meta, query, bounds))

    def open(self, path: str) -> OpenVideo:
        """The video of ``path``, for a ``with`` statement: its metadata, and the frames of any plan."""
        return OpenVideo(path, self.reader) if self.cache is None else CachedVideo(path, self.reader, self.cache)

    def _blank(self, path: str) -> Clip:
        plan = self.resolution.assign(FramePlan((0.0,)), _UNREAD)
        return Clip(plan, (torch.full((1, 3, *plan.sizes[0]), GREY, dtype=torch.uint8),), path)


def _part(meta: VideoMeta, bounds: tuple[float, float] | None) -> tuple[float, VideoMeta]:
    """Where a part of a video begins, and its metadata."""
    if bounds is None:
        return 0.0, meta
    start, end = max(0.0, bounds[0]), min(bounds[1], meta.duration)
    if not start < end:
        raise ValueError(
            f"{meta.path}: the part from {bounds[0]:g} s to {bounds[1]:g} s is empty: the video has {meta.duration:g} s"
        )
    return start, replace(meta, duration=end - start)
