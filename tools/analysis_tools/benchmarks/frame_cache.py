"""The second epoch with a cache of frames."""

import io
import tempfile
import time
import zlib
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from elva.datasets.transforms import LoadVideo
from elva.structures import Clip

from .input_pipeline import render
from .result import Result


def frame_cache(
    clips: int = 9, length: int = 300, frames: int = 16, rounds: int = 3, size: tuple[int, int] = (360, 640)
) -> list[Result]:
    """Videos that are opened or decoded in the second epoch (none may be), and its speed over the first one's.

    Beside it, what compressing the stored frames would save and cost.

    Args:
        clips: How many H.264 clips are rendered.
        length: Frames of each, at 30 a second.
        frames: Chosen from each, evenly.
        rounds: Repetitions of the second epoch.
        size: Height and width of the clips in pixels.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(render(Path(folder) / f"{number}.mp4", length, size, seed=number)) for number in range(clips)]
        load = _load(folder, frames)
        calls = _count_calls(load)
        first = _epoch(load, paths)
        if not calls:
            raise AssertionError("the first epoch read nothing: the count is wrong")
        calls.clear()
        second = [seconds for _ in range(rounds) for seconds in _epoch(load, paths)]
        details = {"ms a clip, first epoch": 1e3 * median(first), "ms a clip, second epoch": 1e3 * median(second)}
        details |= _compression(load.load(paths[0]))
    faster = median(first) / median(second)
    return [
        Result("frame cache: videos opened in the second epoch", float(len(calls)), 0.0, False),
        Result("frame cache: speed of the second epoch over the first", faster, 10.0, True, details),
    ]


def _load(folder: str, frames: int) -> LoadVideo:
    return LoadVideo(
        reader={"type": "DecordReader"},
        sampler={"type": "UniformSampler", "num_frames": frames},
        resolution={"type": "NativeResolution", "patch_size": 16, "max_patches": 144},
        cache={"directory": f"{folder}/cache"},
    )


def _count_calls(load: LoadVideo) -> list[str]:
    """A list that grows with every call of the reader."""
    calls: list[str] = []
    for name in ("probe", "read"):
        method = getattr(load.reader, name)

        def counted(path, *args, name=name, method=method):  # type: ignore[no-untyped-def]
            calls.append(name)
            return method(path, *args)

        setattr(load.reader, name, counted)
    return calls


def _epoch(load: LoadVideo, paths: list[str]) -> list[float]:
    """Seconds of each clip, until every byte of its frames was read."""
    seconds = []
    for path in paths:
        start = time.perf_counter()
        load.load(path).map(lambda pixels: pixels.clone())
        seconds.append(time.perf_counter() - start)
    return seconds


def _compression(clip: Clip) -> dict[str, float]:
    frames_THWC = clip.pixels[0].permute(0, 2, 3, 1).contiguous().numpy()
    packed = zlib.compress(frames_THWC.tobytes(), 1)
    pictures = []
    for frame_HWC in frames_THWC:
        file = io.BytesIO()
        Image.fromarray(frame_HWC).save(file, "PNG", compress_level=1)
        pictures.append(file)
    start = time.perf_counter()
    zlib.decompress(packed)
    middle = time.perf_counter()
    for file in pictures:
        np.asarray(Image.open(file))
    end = time.perf_counter()
    return {
        "bytes with zlib, share": len(packed) / frames_THWC.nbytes,
        "bytes with PNG, share": sum(file.getbuffer().nbytes for file in pictures) / frames_THWC.nbytes,
        "ms to unpack zlib": 1e3 * (middle - start),
        "ms to unpack PNG": 1e3 * (end - middle),
    }
