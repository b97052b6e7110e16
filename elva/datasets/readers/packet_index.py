"""The times of all frames of a video, from its packets: nothing is decoded. Legend: N frames."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from .container import cut_short, is_indexed, no_frames, open_video, slack

_MISSING_SECONDS = 0.5
"""A file whose packets end this long before the duration that its header states was cut short."""


@dataclass(frozen=True)
class PacketIndex:
    """When the frames of one video are shown.

    Attributes:
        seconds: (N,) rising times since the first frame.
        duration: Seconds from the first frame's time to the end of the last frame.
        slack: See :func:`elva.datasets.readers.container.slack`.
        countable: Whether a frame can be found by jumping to a key frame and counting. Not so in an open group of
            pictures (the default of x265, MPEG-2 and MPEG-4): frames shown just before the key frame come after it in
            the file and cannot be decoded after a jump to it. Nor where an edit list hides frames, nor in containers
            without an index, where a jump is a guess.
    """

    seconds: np.ndarray
    duration: float
    slack: float
    countable: bool

    def shown_at(self, seconds: Sequence[float]) -> np.ndarray:
        """(T,) indices of the frames shown at ``seconds``."""
        found = np.searchsorted(self.seconds, np.asarray(seconds) + self.slack, side="right") - 1
        return np.clip(found, 0, len(self.seconds) - 1)


class _Packet(NamedTuple):
    """What is kept of a packet: its data would add up to the whole file."""

    time: int
    duration: int
    stamped: bool
    key: bool
    hidden: bool


def index_packets(path: str) -> PacketIndex:
    """Return the index of ``path``; the last few are kept, so that probing and then reading a file indexes it once.

    Raises:
        VideoReadError: If the file does not open, holds no frame, or ends before its header says.
    """
    try:
        status = os.stat(path)
    except OSError:
        return _index(path, 0, 0)  # it raises the error in words
    return _index(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _index(path: str, _mtime: int, _size: int) -> PacketIndex:
    with open_video(path) as (container, stream):
        packets = _packets(container, stream, path)
        if all(packet.hidden for packet in packets):
            raise no_frames(path)
        return _from_packets(packets, stream)


def _packets(container: InputContainer, stream: VideoStream, path: str) -> list[_Packet]:
    """The video's packets in the order of the file, checked to reach its stated end."""
    packets, end = [], 0.0
    stated = 0.0 if stream.duration else (container.duration or 0) / 1e6  # a duration of its own is already checked
    for packet in container.demux(*container.streams if stated else [stream]):
        if packet.size == 0:
            continue
        stamp = packet.dts if packet.pts is None else packet.pts
        if packet.is_corrupt and packet.stream is stream:
            raise cut_short(path, "a frame's data are incomplete")
        if stamp is not None and packet.time_base:
            end = max(end, float((stamp + (packet.duration or 0)) * packet.time_base))
        if packet.stream is stream:
            packets.append(
                _Packet(stamp or 0, packet.duration or 0, packet.pts is not None, packet.is_keyframe, packet.is_discard)
            )
    if packets and end < stated - _MISSING_SECONDS:
        raise cut_short(path, f"it ends after {end:.2f} of {stated:.2f} s")
    return packets


def _from_packets(packets: list[_Packet], stream: VideoStream) -> PacketIndex:
    assert stream.time_base is not None
    shown = sorted((packet for packet in packets if not packet.hidden), key=lambda packet: packet.time)
    ticks = np.array([packet.time for packet in shown])
    seconds = (ticks - ticks[0]) * float(stream.time_base)
    return PacketIndex(
        seconds=seconds,
        duration=float(seconds[-1]) + _last_duration(shown[-1].duration, stream),
        slack=slack(stream),
        countable=(
            is_indexed(stream)
            and len(shown) == len(packets)
            and stream.frames in (0, len(packets))  # decord aborts the process if a damaged header states billions
            and _groups_are_closed(packets)
        ),
    )


def _last_duration(ticks: int, stream: VideoStream) -> float:
    """Seconds that the last frame is shown: the stream's rate is finer than the container's clock, if they agree."""
    assert stream.time_base is not None
    stated = float(ticks * stream.time_base)
    regular = float(1 / (stream.average_rate or stream.guessed_rate or 25))
    return stated if ticks and abs(stated - regular) > float(stream.time_base) else regular


def _groups_are_closed(packets: list[_Packet]) -> bool:
    """Whether every packet after a key frame is shown after it, and each has a time of its own."""
    ticks = np.array([packet.time for packet in packets])
    keys = np.array([packet.key for packet in packets])
    earliest_after = np.minimum.accumulate(ticks[::-1])[::-1]
    timed = all(packet.stamped for packet in packets) and len(np.unique(ticks)) == len(ticks)
    return bool(timed and keys[0] and (earliest_after[keys] >= ticks[keys]).all())
