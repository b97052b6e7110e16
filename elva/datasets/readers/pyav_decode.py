"""Decoding the frames shown at given times with PyAV. Legend: T frames, H rows, W columns."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from .base import VideoReadError
from .container import is_indexed, no_frames, open_video, slack
from .orientation import quarter_turns, upright_size
from .packet_index import index_packets

Timed = tuple[float, VideoFrame]
"""A frame, and its time in seconds since the first one."""


class _InexactSeek(Exception):
    """A jump ended after the time asked for: the container's index is wrong."""


def decode_at(path: str, seconds: Sequence[float], threads: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the frames shown at ``seconds``, upright, and their own times.

    Args:
        path: A video file.
        seconds: (T,) non-decreasing times since the first frame.
        threads: Decoding threads.

    Returns:
        uint8 frames (T, H, W, 3) in RGB, and (T,) seconds since the first frame.

    Raises:
        VideoReadError: If the file does not open, or a frame that is needed cannot be decoded.
    """
    try:
        return _decode(path, seconds, threads, seek=True)
    except _InexactSeek:
        return _decode(path, seconds, threads, seek=False)


def _decode(path: str, seconds: Sequence[float], threads: int, seek: bool) -> tuple[np.ndarray, np.ndarray]:
    with open_video(path) as (container, stream):
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        convert = VideoReformatter()  # one for all frames: it keeps its tables
        times_T, frames_THWC, last = np.empty(len(seconds)), np.empty(0), None
        for index, (time, frame) in enumerate(_frames_at(container, stream, seconds, seek, path)):
            times_T[index] = time
            if frame is last:
                frames_THWC[index] = frames_THWC[index - 1]
                continue
            if frame.is_corrupt:
                raise VideoReadError(f"{path}: the frame at {time:.2f} s is corrupt. Fetch the file again.")
            if last is None:
                first, frames_THWC = frame, np.empty((len(seconds), *upright_size(frame), 3), np.uint8)
            frames_THWC[index], last = _upright_rgb(frame, first, convert), frame
        return frames_THWC, times_T


def _upright_rgb(frame: VideoFrame, first: VideoFrame, convert: VideoReformatter) -> np.ndarray:
    """(H, W, 3) uint8, in the size of the first frame (a stream may change it): a view, for its rows are padded."""
    rgb = convert.reformat(frame, width=first.width, height=first.height, format="rgb24", threads=1)
    plane = rgb.planes[0]
    view_HWC: np.ndarray = np.ndarray(
        (rgb.height, rgb.width, 3), np.uint8, buffer=memoryview(plane), strides=(plane.line_size, 3, 1)
    )
    return np.rot90(view_HWC, quarter_turns(frame))


def _frames_at(
    container: InputContainer, stream: VideoStream, seconds: Sequence[float], seek: bool, path: str
) -> Iterator[Timed]:
    """For each time the last frame that starts by then."""
    margin = slack(stream)
    frames = _timed(container, stream)
    shown = coming = next(frames, None)
    for time in seconds:
        if seek and coming is not None and _pays_to_jump(stream, coming[1], time):
            container.seek(_ticks(stream, time), stream=stream)
            frames = _timed(container, stream)
            shown = coming = next(frames, None)
            if coming is None or coming[0] > time + margin:
                raise _InexactSeek
        while coming is not None and coming[0] <= time + margin:
            shown, coming = coming, next(frames, None)
        if shown is None:
            raise no_frames(path)
        if coming is None and time > shown[0] + margin:
            index_packets(path)  # is this the video's end, or the end of a file cut short? It raises in that case
        yield shown


def _timed(container: InputContainer, stream: VideoStream) -> Iterator[Timed]:
    """Frames in the order of presentation, with their times since the first frame of the video.

    AVI and raw streams store no presentation times, and FFmpeg guesses wrong ones where there are B-frames; there the
    frames, which do come in the right order, are counted.
    """
    assert stream.time_base is not None
    if _untimed(stream):
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        return ((float(number / rate), frame) for number, frame in enumerate(container.decode(stream)))
    tick, start = stream.time_base, stream.start_time or 0
    return ((float((frame.pts - start) * tick), frame) for frame in container.decode(stream) if frame.pts is not None)


def _untimed(stream: VideoStream) -> bool:
    return stream.container.format.name == "avi" or stream.start_time is None


def _pays_to_jump(stream: VideoStream, coming: VideoFrame, time: float) -> bool:
    """Whether the container's index has a key frame between the next frame and ``time``."""
    if not is_indexed(stream) or coming.pts is None:
        return False
    key = stream.index_entries.search_timestamp(_ticks(stream, time), backward=True)
    return key >= 0 and stream.index_entries[key].timestamp > coming.pts


def _ticks(stream: VideoStream, time: float) -> int:
    """A time since the first frame on the container's clock."""
    assert stream.time_base is not None
    return (stream.start_time or 0) + int((time + slack(stream)) / float(stream.time_base))
