"""Small video files of many kinds, each frame of which shows its own number.

Legend: H rows, W columns.
"""

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (48, 64)
IRREGULAR = (0, 1, 2, 5, 6, 12, 13, 14, 30, 31, 33, 60, 61, 62, 63, 64, 90, 91, 92, 93)
"""Ticks of 1/30 s at which the frames of the clips with a variable frame rate start."""


@dataclass(frozen=True)
class Recipe:
    """How a clip is rendered.

    Attributes:
        codec: FFmpeg's name of the encoder.
        options: The encoder's options.
        size: Height and width of the upright frames.
        ticks: When each frame starts, in units of ``tick`` seconds.
        first: The number that the first frame shows.
        rotation: Degrees of the rotation metadata.
        start: Ticks by which everything is shifted.
        container: The muxer's options.
        audio: Seconds of silence beside the video.
        black_size: Height and width of another video stream, black, the first of the file but not its default.
        cut_ticks: Ticks before the first shown frame that an edit list hides.
    """

    codec: str = "libx264"
    options: tuple[tuple[str, str], ...] = (("x264-params", "keyint=12:bframes=2:scenecut=0:log-level=none"),)
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = SIZE
    ticks: Sequence[int] = tuple(range(40))
    tick: Fraction = Fraction(1, 25)
    first: int = 0
    rotation: int = 0
    start: int = 0
    container: tuple[tuple[str, str], ...] = ()
    audio: float = 0.0
    black_size: tuple[int, int] | None = None
    cut_ticks: int = 0

    @property
    def seconds(self) -> np.ndarray:
        """When each frame is shown, counted from the first."""
        return np.array(self.ticks, dtype=float) * float(self.tick)

    @property
    def numbers(self) -> list[int]:
        """What the frames show."""
        return list(range(self.first, self.first + len(self.ticks)))


_HEVC = (("x265-params", "log-level=none:keyint=12"), ("preset", "ultrafast"))
_VP9 = (("g", "12"), ("deadline", "realtime"), ("cpu-used", "8"))
_OPEN = (("x264-params", "keyint=10:min-keyint=10:open-gop=1:bframes=3:scenecut=0:log-level=none"),)
_MPEG = (("bf", "2"), ("g", "12"))

RECIPES: dict[str, Recipe] = {
    "h264.mp4": Recipe(),
    "hevc.mp4": Recipe("libx265", _HEVC),  # its groups of pictures are open, x265's default
    "vp9.webm": Recipe("libvpx-vp9", _VP9, tick=Fraction(1, 30)),
    "av1.mp4": Recipe("libsvtav1", (("preset", "12"), ("svtav1-params", "keyint=12")), size=(64, 64)),
    "mpeg2.mpg": Recipe("mpeg2video", _MPEG),
    "transport.ts": Recipe(),
    "b_frames.avi": Recipe(),
    "open_group.mp4": Recipe(options=_OPEN),
    "rotated_90.mp4": Recipe(size=(64, 96), rotation=90),
    "rotated_180.mp4": Recipe(rotation=180),
    "rotated_270.mp4": Recipe(size=(80, 48), rotation=270),
    "variable.mp4": Recipe(ticks=IRREGULAR, tick=Fraction(1, 30)),
    "variable.webm": Recipe("libvpx-vp9", _VP9, ticks=IRREGULAR, tick=Fraction(1, 30)),
    "odd.mp4": Recipe(pix_fmt="yuv444p", size=(47, 63)),
    "odd.webm": Recipe("libvpx-vp9", _VP9, size=(47, 63)),
    "ten_bit.mp4": Recipe(pix_fmt="yuv420p10le"),
    "full_range.mp4": Recipe(pix_fmt="yuvj420p"),
    "late.mp4": Recipe(start=125),
    "late.mkv": Recipe(start=125),
    "edited.mp4": Recipe(ticks=tuple(range(30)), first=10, cut_ticks=10),
    "live.mkv": Recipe(container=(("live", "1"),)),
    "narrow.mp4": Recipe(size=(48, 48)),  # decord 3.4 cannot read this width
    "two_streams.mp4": Recipe(size=(64, 80), black_size=(32, 32), audio=3.0),
    "one_frame.mp4": Recipe(ticks=(0,)),
    "one_frame.webm": Recipe("libvpx-vp9", _VP9, ticks=(0,)),
}


def draw(number: int, size: tuple[int, int]) -> np.ndarray:
    """uint8 (H, W, 3): a colour ramp, above it ``number`` in eight black and white bars, the lowest bit on the left."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width]
    frame = np.stack([x * 255 // width, y * 255 // height, np.full_like(x, number * 5 % 256)], -1).astype(np.uint8)
    for bit in range(8):
        frame[: height // 2, bit * width // 8 : (bit + 1) * width // 8] = 235 if number >> bit & 1 else 20
    return frame


def number(frame: np.ndarray) -> int:
    """The number that an upright frame shows."""
    height, width = frame.shape[:2]
    rows = frame[height // 8 : height * 3 // 8]
    centres = [width * (2 * bit + 1) // 16 for bit in range(8)]
    return sum(int(rows[:, centre].mean() > 128) << bit for bit, centre in enumerate(centres))


def render(path: Path, recipe: Recipe) -> None:
    """Write the clip of ``recipe`` to ``path``; the suffix says which container."""
    if recipe.cut_ticks:
        whole = path.with_name(f"whole_{path.name}")
        render(whole, Recipe(ticks=tuple(range(len(recipe.ticks) + recipe.cut_ticks))))
        _hide_beginning(whole, path, recipe.cut_ticks)
        return
    with av.open(str(path), "w", options=dict(recipe.container)) as out:
        other = _add_video(out, recipe, recipe.black_size) if recipe.black_size else None
        video = _add_video(out, recipe, recipe.size)
        video.disposition = av.stream.Disposition.default
        sound = out.add_stream("aac", rate=16000, layout="mono") if recipe.audio else None
        if other and recipe.black_size:
            black = np.zeros((*recipe.black_size, 3), np.uint8)
            _encode(out, other, [black] * len(recipe.ticks), recipe.ticks, recipe)
        frames = [np.rot90(draw(n, recipe.size), -recipe.rotation // 90) for n in recipe.numbers]
        _encode(out, video, frames, recipe.ticks, recipe)
        if sound:
            _silence(out, sound, recipe.audio)


def _add_video(out: av.container.OutputContainer, recipe: Recipe, size: tuple[int, int]) -> av.VideoStream:
    stream = out.add_stream(recipe.codec, rate=1 / recipe.tick, options=dict(recipe.options))
    stream.codec_context.time_base = recipe.tick
    stream.codec_context.thread_count = 1
    turned = recipe.rotation % 180 != 0
    stream.height, stream.width = size[::-1] if turned else size
    stream.pix_fmt = recipe.pix_fmt
    if recipe.rotation:
        stream.set_display_rotation(recipe.rotation)
    return stream


def _encode(
    out: av.container.OutputContainer,
    stream: av.VideoStream,
    frames: Sequence[np.ndarray],
    ticks: Sequence[int],
    recipe: Recipe,
) -> None:
    for array, tick in zip(frames, ticks, strict=True):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format="rgb24")
        frame = frame.reformat(format=recipe.pix_fmt)
        frame.time_base, frame.pts = recipe.tick, tick + recipe.start
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def _silence(out: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    for start in range(0, int(seconds * 16000), 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, start, Fraction(1, 16000)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def _hide_beginning(source: Path, path: Path, ticks: int) -> None:
    """Copy the packets with times before 0: the muxer hides those behind an edit list."""
    with av.open(str(source)) as whole, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.dts is not None:
                shift = int(ticks * Fraction(1, 25) / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
                out.mux(packet)


def _cut(path: Path, source: str, recipe: Recipe, share: float) -> None:
    whole = path.with_name(source)
    render(whole, recipe)
    path.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])


def _sound_only(path: Path) -> None:
    with av.open(str(path), "w") as out:
        _silence(out, out.add_stream("aac", rate=16000, layout="mono"), 1.0)


def _flipped(path: Path) -> None:
    whole = path.with_name("to_flip.mp4")
    render(whole, Recipe())
    data = bytearray(whole.read_bytes())
    begin = data.index(b"mdat") + 900  # behind the first frames
    data[begin : begin + 400] = bytes(byte ^ 0xFF for byte in data[begin : begin + 400])
    path.write_bytes(data)


_INDEX_FIRST = Recipe(container=(("movflags", "faststart"),))

BROKEN: dict[str, Callable[[Path], object]] = {
    "missing.mp4": lambda path: None,
    "folder.mp4": lambda path: path.mkdir(),
    "empty.mp4": lambda path: path.write_bytes(b""),
    "text.mp4": lambda path: path.write_text("This is no video.\n" * 100),
    "noise.mp4": lambda path: path.write_bytes(random.Random(0).randbytes(5000)),
    "sound.mp4": _sound_only,
    "no_index.mp4": lambda path: _cut(path, "whole_no_index.mp4", Recipe(), 0.6),
    "cut.mp4": lambda path: _cut(path, "whole_cut.mp4", _INDEX_FIRST, 0.8),
    "cut.webm": lambda path: _cut(path, "whole_cut.webm", RECIPES["vp9.webm"], 0.6),
    "flipped.mp4": _flipped,
}
"""Files that cannot be read to the end; each function writes one."""


def real_clips() -> list[str]:
    """Files of the folder that the environment variable ``ELVA_TEST_CLIPS`` names, if it is set."""
    folder = os.environ.get("ELVA_TEST_CLIPS")
    return sorted(str(file) for file in Path(folder).iterdir() if file.suffix != ".md") if folder else []


def reference(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Every frame of ``path``, upright, decoded from the beginning one by one, and their times since the first."""
    with av.open(path) as container:
        stream = container.streams.best("video")
        frames = list(container.decode(stream))
        rgb = np.stack([np.rot90(f.to_ndarray(format="rgb24"), round(f.rotation / 90)) for f in frames])
        if path.endswith(".avi"):  # FFmpeg's own times are wrong there
            return rgb, np.arange(len(frames)) / float(stream.average_rate)
        return rgb, np.array([float((f.pts - frames[0].pts) * stream.time_base) for f in frames])
