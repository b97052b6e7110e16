"""Whether one file can be read, as far as it is asked for."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import NamedTuple

from elva.datasets.open_video import OpenVideo
from elva.datasets.readers import DecordReader, PyAVReader, VideoReader, VideoReadError, is_image_file
from elva.datasets.readers.checks import check_file
from elva.datasets.readers.container import open_video
from elva.datasets.readers.packet_index import index_packets
from elva.datasets.sampling.times import frame_count
from elva.datasets.webdataset import shard_index
from elva.structures import FramePlan, VideoMeta
from elva.utils.media_path import path_identity, split_member

from .sources import Bounds, Source

LEVELS = ("none", "probe", "frames", "full")
"""Each looks at more than the one before: that files exist; headers; the frames of the pipeline; every frame."""

_PIECE_BYTES = 1 << 28
"""Of decoded frames at a time."""


class FileJob(NamedTuple):
    """A file to be checked.

    Attributes:
        path: The file.
        views: Number of the source and the part of the file, of everything that differs in what is read.
    """

    path: str
    views: tuple[tuple[int, Bounds], ...]


class FileFound(NamedTuple):
    """What there is to say about a file.

    Attributes:
        stamp: Of the file when it was looked at.
        meta: Its metadata, if they were read.
        error: What is wrong with it; empty for nothing.
    """

    stamp: str
    meta: VideoMeta | None = None
    error: str = ""


@dataclass(frozen=True)
class FileCheck:
    """Checks files; called in worker processes.

    Attributes:
        sources: By whose readers and samplers files are read.
        level: Of ``LEVELS``.
    """

    sources: Sequence[Source]
    level: str

    def __call__(self, job: FileJob) -> FileFound:
        """Look at a file; what is wrong with it is told, never raised."""
        if self.level == "none":
            return FileFound("", None, _missing(job.path))
        before = stamp(job.path)
        try:
            with OpenVideo(job.path, self._reader(job)) as video:
                return self._looked_at(job, video, before)
        except VideoReadError as error:
            return FileFound(before, None, str(error))
        except Exception as error:  # a reader that raises anything but a ValueError would stop a training
            return FileFound(before, None, f"{job.path}: {type(error).__name__}: {error}")

    def _looked_at(self, job: FileJob, video: OpenVideo, before: str) -> FileFound:
        """A file whose metadata can be read."""
        meta, reader = video.meta, self._reader(job)
        try:
            if self.level == "frames":
                self._read(job, reader, replace(meta, path=video.path))
            if self.level == "full":
                read_all(reader, replace(meta, path=video.path))
        except VideoReadError as error:
            return FileFound(before, meta, str(error).replace(video.path, job.path))
        return FileFound(before, meta)

    def _reader(self, job: FileJob) -> VideoReader:
        """The reader of a job's views: it is the same for all of them."""
        load = self.sources[job.views[0][0]].load
        if load is None:
            raise VideoReadError(f"{job.path}: the pipeline of its data set has no LoadVideo to read it with")
        reader: VideoReader = load.reader
        return reader

    def _read(self, job: FileJob, reader: VideoReader, meta: VideoMeta) -> None:
        """Read the frames of all views; each once, however many views want it."""
        plans = [plan for source, bounds in job.views if (plan := _plan(self.sources[source], meta, bounds))]
        if len(plans) == 1:
            reader.read(meta.path, plans[0].seconds)
        elif plans:
            _read_pieces(reader, meta, sorted({second for plan in plans for second in plan.seconds}))


def read_all(reader: VideoReader, meta: VideoMeta) -> None:
    """Decode every frame of a file; video files from end to end, without a jump, and without making colours of them.

    Raises:
        VideoReadError: If a frame cannot be decoded, is damaged or is missing.
    """
    if not isinstance(reader, DecordReader | PyAVReader) or is_image_file(meta.path):
        frames = frame_count(meta)
        _read_pieces(reader, meta, [number / meta.fps for number in range(frames)] if meta.fps else [0.0])
        return
    expected, count = len(index_packets(meta.path).seconds), 0
    with open_video(meta.path) as (container, stream):
        stream.codec_context.thread_count = 1
        for frame in container.decode(stream):
            count += 1
            if frame.is_corrupt:
                raise VideoReadError(f"{meta.path}: the frame at {frame.time or 0:.2f} s is corrupt. Fetch it again.")
    if count < expected:
        raise VideoReadError(f"{meta.path}: {count} of {expected} frames can be decoded. Fetch the file again.")


def stamp(path: str) -> str:
    """A word that is another one when the file (or its shard) has changed; empty for what is not there."""
    try:
        return blake2b(repr(path_identity(path)).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    except OSError:
        return ""


def _missing(path: str) -> str:
    """Why there is nothing to read at ``path``; empty if there is."""
    try:
        if place := split_member(path):
            shard_index(place[0]).find(place[1])
        elif not os.path.isdir(path):  # else a folder of frames
            check_file(path)
    except (VideoReadError, ValueError, OSError) as error:
        return str(error)
    return ""


def _plan(source: Source, meta: VideoMeta, bounds: Bounds) -> FramePlan | None:
    """What a source reads of a file; None if it can choose nothing, which is told where samples are counted."""
    assert source.load is not None
    try:
        return source.load.plan_of(meta, bounds=bounds)
    except ValueError:
        return None


def _read_pieces(reader: VideoReader, meta: VideoMeta, times: Sequence[float]) -> None:
    """Read frames without holding them all."""
    step = max(1, _PIECE_BYTES // (3 * meta.height * meta.width))
    for start in range(0, len(times), step):
        reader.read(meta.path, times[start : start + step])
