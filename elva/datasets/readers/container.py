"""Opening a video file with FFmpeg, and telling what is wrong with one that does not open."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from .base import VideoReadError
from .checks import check_file

MAX_SLACK = 5e-4
"""Half of WebM's millisecond; clocks coarser than that (AVI: one tick a frame) are exact."""

_INDEXED = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
"""FFmpeg's names of the containers that say where their key frames are."""


@contextmanager
def open_video(path: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open ``path``, and close it again; errors of FFmpeg in between become :class:`VideoReadError`.

    Yields:
        The container, and of its video streams the one that players show (FFmpeg's "best": decord takes it as well).
    """
    check_file(path)
    try:
        container = av.open(path, metadata_errors="replace")  # titles need not be UTF-8
    except av.FFmpegError as error:
        raise VideoReadError(
            f"{path}: not a video, or one that is damaged or cut short before its header ended ({error.strerror}). "
            f"Fetch the file again, or take it out of the annotation."
        ) from error
    with container:
        try:
            yield container, _video_stream(container, path)
        except (av.FFmpegError, IndexError) as error:  # IndexError: PyAV's, where damage makes a stream appear midway
            raise VideoReadError(
                f"{path}: is corrupt or cut short, decoding failed ({getattr(error, 'strerror', error)}). "
                f"Fetch the file again, or take it out of the annotation."
            ) from error


def slack(stream: VideoStream) -> float:
    """Seconds that a frame may start after the time asked for and still be the one shown.

    A time stamp was rounded to the container's clock (WebM: to milliseconds), so a frame's stated time may be up to
    half a tick later than its true one. The last microsecond is for times that were computed in floating point.
    """
    assert stream.time_base is not None
    return min(float(stream.time_base) / 2, MAX_SLACK) + 1e-6


def is_indexed(stream: VideoStream) -> bool:
    """Whether the container has an index, so that a jump ends where it should; elsewhere (MPEG-TS) it is a guess."""
    return stream.container.format.name in _INDEXED


def cut_short(path: str, what: str) -> VideoReadError:
    """The error of a file that ends before its header says."""
    return VideoReadError(f"{path}: is cut short or damaged, {what}. Fetch the file again.")


def no_frames(path: str) -> VideoReadError:
    """The error of a file whose video stream is empty."""
    return VideoReadError(f"{path}: has a video stream without frames. Fetch the file again.")


def _video_stream(container: InputContainer, path: str) -> VideoStream:
    found = container.streams.best("video")
    if isinstance(found, VideoStream) and found.codec_context and Disposition.attached_pic not in found.disposition:
        _check_extent(found, path)
        return found
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    hint = "is it an audio file?" if "audio" in kinds else "fetch the file again."
    raise VideoReadError(f"{path}: has no video that can be decoded (streams found: {kinds}); {hint}")


def _check_extent(stream: VideoStream, path: str) -> None:
    """Raise if the header's index (MP4 has one) names bytes beyond the end of the file."""
    if len(stream.index_entries) and stream.container.format.name == _INDEXED[0]:
        last, size = stream.index_entries[-1], os.path.getsize(path)
        if last.pos + last.size > size:
            raise cut_short(path, f"its last frame ends at byte {last.pos + last.size} of {size}")
