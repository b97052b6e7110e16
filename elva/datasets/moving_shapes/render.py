"""Draws a MovingShapes scene with numpy, and writes it as H.264 or PNG with PyAV.

Legend: T frames, S height and width of a scene, H and W those of a video's frames.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np

from .scene import COLOURS, Scene, Shape

Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]


def render(scene: Scene) -> np.ndarray:
    """Return the frames of ``scene``: uint8 (T, S, S, 3) RGB, the same for the same scene."""
    rng = np.random.default_rng(scene.noise_seed)
    frames = np.repeat(_ground(scene.size, rng)[None], scene.frames, axis=0)
    for shape in scene.shapes:
        _draw(frames, shape)
    amount = rng.uniform(2.0, 7.0)
    noise = rng.integers(-128, 128, (*frames.shape[:3], 1), dtype=np.int8)
    frames += noise * np.float32(amount / 74)  # 74: the standard deviation of the integers
    return np.clip(frames, 0, 255).astype(np.uint8)


def write_video(frames: Iterable[np.ndarray], path: Path, fps: float, crf: int) -> None:
    """Write uint8 (H, W, 3) ``frames``, at least one, as H.264 in an mp4 container; H and W must be even.

    Args:
        frames: RGB frames, all of one size; they are taken one by one.
        path: The file to write.
        fps: Frames per second.
        crf: x264's constant quality, 0 (lossless) to 51.
    """
    import av

    rate = Fraction(fps).limit_denominator(1000)
    # One thread and no macroblock tree (with it, x264 wrote a few files differently in another process): the same
    # frames give the same file. No B-frames, and a key frame in eight: cheap to decode.
    parameters = "keyint=8:bframes=0:no-mbtree=1:log-level=none"
    options = {"crf": str(crf), "preset": "veryfast", "threads": "1", "x264-params": parameters}
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options=options)
        rest = iter(frames)
        first = next(rest)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        for array in chain([first], rest):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        container.mux(stream.encode(None))


def write_image(frame: np.ndarray, path: Path) -> None:
    """Write a uint8 (S, S, 3) RGB frame as PNG."""
    import av

    codec = av.CodecContext.create("png", "w")
    codec.height, codec.width = frame.shape[:2]
    codec.pix_fmt = "rgb24"
    codec.time_base = Fraction(1, 25)
    packets = codec.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")) + codec.encode(None)
    path.write_bytes(b"".join(bytes(packet) for packet in packets))


def _ground(size: int, rng: np.random.Generator) -> np.ndarray:
    """(S, S, 3) float32: a grey of a slight tint, a slow gradient, and grey specks that stand for clutter."""
    row_S1, column_1S = np.ogrid[0:size, 0:size]
    angle = rng.uniform(0, 2 * np.pi)
    slope = (np.cos(angle) * column_1S + np.sin(angle) * row_S1) / size
    tone = rng.uniform(45, 130) + rng.uniform(-10, 10, 3)
    ground = (tone + rng.uniform(0, 30) * (slope - slope.mean())[..., None]).astype(np.float32)
    for _ in range(rng.integers(0, 7)):
        x, y, radius = *rng.uniform(0, size, 2), size * rng.uniform(0.012, 0.025)
        cover = np.clip(radius + 0.5 - np.hypot(column_1S - x, row_S1 - y), 0, 1)
        ground += (cover * rng.choice([-35, 35]))[..., None]
    return ground


def _draw(frames: np.ndarray, shape: Shape) -> None:
    """Paint ``shape`` into (T, S, S, 3) float32 ``frames``, with edges smoothed over one pixel."""
    length, size = frames.shape[:2]
    grid = np.arange(size, dtype=np.float32) + 0.5
    centres = shape.centres(length).astype(np.float32)
    if not shape.direction:
        centres = centres[:1]
    x_T1S = (grid - centres[:, :1])[:, None, :] / shape.radius
    y_TS1 = (grid - centres[:, 1:])[:, :, None] / shape.radius
    distance = DISTANCES[shape.kind](x_T1S, y_TS1) * shape.radius
    cover = np.clip(0.5 - distance, 0, 1)[..., None]
    frames += cover * (np.array(COLOURS[shape.colour], np.float32) - frames)


def _circle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sqrt(x * x + y * y) - 1


def _box(x: np.ndarray, y: np.ndarray, width: float, height: float) -> np.ndarray:
    return np.maximum(np.abs(x) - width, np.abs(y) - height)


def _square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _box(x, y, 0.9, 0.9)


def _triangle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Point up; base and height 2.1."""
    slant = (2 * np.abs(x) - y - 1.05) / np.sqrt(5, dtype=np.float32)
    return np.maximum(slant, y - 1.05)


def _cross(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.minimum(_box(x, y, 1.1, 0.33), _box(x, y, 0.33, 1.1))


DISTANCES: dict[str, Distance] = {"circle": _circle, "square": _square, "triangle": _triangle, "cross": _cross}
"""Signed distance to the outline of a shape of radius 1, negative inside."""
