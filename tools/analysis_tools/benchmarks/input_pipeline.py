"""Frames a second of the input pipeline, against decord alone."""

import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from elva.datasets.transforms import LoadVideo

from .result import Result
from .timing import interleaved, median_ratio


def input_pipeline(
    clips: int = 4, length: int = 240, frames: int = 16, rounds: int = 7, size: tuple[int, int] = (360, 640)
) -> list[Result]:
    """Decoding, choosing and resizing frames of H.264 clips as training does, against decord reading the same frames.

    Both use one thread. decord alone leaves the frames in their own size and knows which ones are wanted.

    Args:
        clips: How many are rendered.
        length: Frames of each, at 30 a second.
        frames: Chosen from each, evenly.
        rounds: Turns of each way over all clips.
        size: Height and width of the clips in pixels.
    """
    load = LoadVideo(
        reader={"type": "DecordReader"},
        sampler={"type": "UniformSampler", "num_frames": frames},
        resolution={"type": "NativeResolution", "patch_size": 16, "max_patches": 144},
    )
    wanted = np.linspace(0, length - 1, frames).round().astype(int)
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(_render(Path(folder) / f"{number}.mp4", length, size, seed=number)) for number in range(clips)]
        seconds = interleaved(
            {"decord": lambda: [_bare(path, wanted) for path in paths], "elva": lambda: [load.load(p) for p in paths]},
            rounds,
        )
    rate = {name: clips * frames / median(times) for name, times in seconds.items()}
    details = {"frames/s decord alone": rate["decord"], "frames/s LoadVideo": rate["elva"]}
    share = median_ratio(seconds["decord"], seconds["elva"])
    return [Result("input pipeline: frames/s over decord's", share, 0.8, True, details)]


def _bare(path: str, wanted: np.ndarray) -> np.ndarray:
    """The bare loop: open, and take the frames."""
    import decord

    frames: np.ndarray = decord.VideoReader(path, num_threads=1).get_batch(wanted).asnumpy()
    return frames


def _render(path: Path, length: int, size: tuple[int, int], seed: int) -> Path:
    """Write a clip of drifting noise as x264 does by default (key frames as far apart as 250 frames)."""
    import av

    rng = np.random.default_rng(seed)
    scene = rng.integers(0, 255, (size[0] // 8 + length // 8 + 2, size[1] // 8, 3), dtype=np.uint8)
    scene = scene.repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "veryfast"})
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        for number in range(length):
            picture = np.ascontiguousarray(scene[number : number + size[0], : size[1]])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path
