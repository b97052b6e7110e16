"""Frames a second of the input pipeline, against decord alone."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from elva.datasets.transforms import LoadVideo

from .result import Result
from .timing import median_ratio


def input_pipeline(
    clips: int = 9, length: int = 300, frames: int = 16, rounds: int = 6, size: tuple[int, int] = (360, 640)
) -> list[Result]:
    """Decoding, choosing and resizing frames of H.264 clips as training does, against decord reading the same frames.

    Both use one thread. decord alone leaves the frames in their own size and knows which ones are wanted.

    Args:
        clips: How many are rendered: more than the reader keeps indices of, so that each is new to it every time.
        length: Frames of each, at 30 a second.
        frames: Chosen from each, evenly.
        rounds: Turns of each way over all clips; the first warms up.
        size: Height and width of the clips in pixels.
    """
    load = LoadVideo(
        reader={"type": "DecordReader"},
        sampler={"type": "UniformSampler", "num_frames": frames},
        resolution={"type": "NativeResolution", "patch_size": 16, "max_patches": 144},
    )
    wanted = np.linspace(0, length - 1, frames).round().astype(int)
    ways: dict[str, Callable[[str], object]] = {"decord": lambda path: _bare(path, wanted), "elva": load.load}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(render(Path(folder) / f"{number}.mp4", length, size, seed=number)) for number in range(clips)]
        for turn, path in enumerate(paths * rounds):
            for name in list(ways)[:: -1 if turn % 2 else 1]:
                start = time.perf_counter()
                ways[name](path)
                if turn >= clips * (rounds > 1):
                    seconds[name].append(time.perf_counter() - start)
    details = {f"frames/s {name}": frames / median(times) for name, times in seconds.items()}
    share = median_ratio(seconds["decord"], seconds["elva"])
    return [Result("input pipeline: frames/s over decord's", share, 0.8, True, details)]


def _bare(path: str, wanted: np.ndarray) -> np.ndarray:
    """The bare loop: open, and take the frames."""
    import decord

    frames: np.ndarray = decord.VideoReader(path, num_threads=1).get_batch(wanted).asnumpy()
    return frames


def render(path: Path, length: int, size: tuple[int, int], seed: int) -> Path:
    """Write a clip of a drifting, grainy scene as x264 does by default (key frames up to 250 frames apart)."""
    import av

    rng = np.random.default_rng(seed)
    blocks = rng.integers(16, 240, (size[0] // 8 + length // 8 + 2, size[1] // 8, 3), dtype=np.uint8)
    scene = blocks.repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "veryfast"})
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        for number in range(length):
            grain = rng.integers(0, 16, (*size, 1), dtype=np.uint8)
            picture = scene[number : number + size[0], : size[1]] + grain
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path
