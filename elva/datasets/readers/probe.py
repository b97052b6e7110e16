"""The metadata of a video file or a still image."""

from av.video.stream import VideoStream

from elva.structures import VideoMeta

from .container import no_frames, open_video
from .orientation import upright_size
from .packet_index import index_packets
from .still_image import is_image_file, probe_image


def probe_file(path: str) -> VideoMeta:
    """Return the metadata of ``path``.

    Only the first frame is decoded: FFmpeg's Python binding tells of a frame alone how it is turned. Duration and rate
    are the header's where it states both duration and frame count (MP4, AVI); else (WebM, MPEG-TS, ...) the packets
    are counted, without decoding.

    Raises:
        VideoReadError: If the file is missing, empty, not a video, cut short, or has no video stream.
    """
    if is_image_file(path):
        return probe_image(path)
    with open_video(path) as (container, stream):
        stream.codec_context.thread_count = 1
        frame = next(container.decode(stream), None)
        if frame is None:
            raise no_frames(path)
        height, width = upright_size(frame)
        duration, fps = _extent(stream, path)
        assert stream.time_base is not None
        start = float((stream.start_time or 0) * stream.time_base)
        codec = stream.codec_context.codec.canonical_name
        return VideoMeta(path, duration, fps, height, width, start, codec)


def _extent(stream: VideoStream, path: str) -> tuple[float, float]:
    """Duration in seconds, and mean frames a second."""
    if stream.frames and stream.duration and stream.average_rate:
        assert stream.time_base is not None
        return float(stream.duration * stream.time_base), float(stream.average_rate)
    index = index_packets(path)
    return index.duration, len(index.seconds) / index.duration
