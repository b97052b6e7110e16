"""One video while it is looked at. Legend: T frames, H and W their size."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TypeVar

from elva.structures import Clip, FramePlan, VideoMeta
from elva.utils.media_path import split_member

from .readers import VideoReader, VideoReadError
from .sampling.resize import resize_frames
from .webdataset.index import copy_member

Result = TypeVar("Result")


class OpenVideo:
    """A video, an image or a folder of frames, wherever it is; to be used in a ``with`` statement.

    A member of a tar shard becomes a file of its own, in a folder for temporary files, when it is first needed, and is
    deleted at the end of the statement: so any reader reads it.

    Args:
        name: The path, or that of a member (``train/00003.tar::000123.mp4``).
        reader: What reads it.
    """

    def __init__(self, name: str, reader: VideoReader) -> None:
        self.name = name
        self._reader = reader
        self._folder: TemporaryDirectory[str] | None = None

    def __enter__(self) -> "OpenVideo":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    @cached_property
    def path(self) -> str:
        """Where the file is while this is open.

        Raises:
            VideoReadError: If it is a member that cannot be found or written to the folder for temporary files.
        """
        place = split_member(self.name)
        if place is None:
            return self.name
        self._folder = TemporaryDirectory(prefix="elva_")
        path = os.path.join(self._folder.name, os.path.basename(place[1]))
        try:
            copy_member(*place, path)
        except (OSError, ValueError) as error:
            raise VideoReadError(f"{self.name}: cannot be taken out of its shard ({error})") from error
        return path

    @cached_property
    def meta(self) -> VideoMeta:
        """The metadata; its path is the name.

        Raises:
            VideoReadError: If it cannot be read.
        """
        return self._probe()

    def clip(self, plan: FramePlan) -> Clip:
        """Return the frames of ``plan`` in its sizes; the clip's own plan has their true times.

        Raises:
            VideoReadError: If they cannot be read.
        """
        frames_THWC, seconds_T = self._named(lambda: self._reader.read(self.path, plan.seconds))
        plan = replace(plan, seconds=tuple(float(second) for second in seconds_T))
        groups = plan.groups()
        if len(groups) == 1:  # the usual case: no frame has to be picked out
            return Clip(plan, (resize_frames(frames_THWC, plan.sizes[0]),), self.name)
        return Clip(plan, tuple(resize_frames(frames_THWC[index], size) for size, index in groups.items()), self.name)

    def _probe(self) -> VideoMeta:
        return replace(self._named(lambda: self._reader.probe(self.path)), path=self.name)

    def _named(self, call: Callable[[], Result]) -> Result:
        """What ``call`` returns; its errors tell of the name instead of a file that is about to be deleted."""
        try:
            return call()
        except VideoReadError as error:
            if self.path == self.name:
                raise
            raise VideoReadError(str(error).replace(self.path, self.name)) from error
