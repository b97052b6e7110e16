"""Makes the videos of a needle-in-a-haystack test: one picture among the frames of long videos.

Legend: N frames of the haystack, T frames, H rows, W columns.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from multiprocessing import Pool
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from .benchmarks.rows import json_rows
from .moving_shapes.render import write_video
from .readers import PyAVReader
from .readers.still_image import read_image
from .sampling.resize import resize_frames

_AT_ONCE = 32
"""Frames of a host that are decoded at once."""


@dataclass(frozen=True)
class Settings:
    """What is made.

    Attributes:
        lengths: Frames of the videos, the needle's among them; each at least ``shown``.
        depths: Where the needle is, as shares of the host's frames before it: 0 the first frame, 1 the last.
        fps: Frames per second, at which the hosts are read and the videos are written.
        size: Longer side in pixels; even. The other follows the first host's shape.
        shown: Frames that the needle is shown for.
        crf: x264's constant quality; lower is better.
    """

    lengths: tuple[int, ...] = (16, 64, 256)
    depths: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    fps: float = 1.0
    size: int = 448
    shown: int = 1
    crf: int = 18

    def __post_init__(self) -> None:
        if self.shown < 1 or not self.lengths or min(self.lengths) < self.shown:
            raise ValueError(f"needles: lengths must be at least the {self.shown} frame(s) shown, got {self.lengths}")
        if not self.depths or not all(0 <= depth <= 1 for depth in self.depths):
            raise ValueError(f"needles: depths must lie in [0, 1], got {self.depths}")
        if not self.fps > 0:
            raise ValueError(f"needles: fps must be positive, got {self.fps}")
        if self.size < 16 or self.size % 2:
            raise ValueError(f"needles: size must be even and at least 16 pixels, got {self.size}")


@dataclass(frozen=True)
class Needle:
    """A picture and a question that it answers.

    Attributes:
        image: The file.
        question: About the picture.
        answer: A word or a phrase, one of ``options`` if there are any.
        options: Of multiple choice. Default: it is asked openly alone.
    """

    image: Path
    question: str
    answer: str
    options: tuple[str, ...] = ()


def read_needles(path: str | Path) -> list[Needle]:
    """Read needles: a JSON list of ``{image, question, answer, options}``, the image relative to the file.

    Raises:
        ValueError: If the file is something else, or two images have one name.
    """
    path = Path(path)
    needles: dict[str, Needle] = {}
    for row in json_rows(path):
        image = path.parent / row.text("image")
        options = row.texts("options") if row.has("options") else ()
        if options:
            row.place("answer", options)
        if image.stem in needles:
            raise row.wrong(f"another needle's image is called '{image.stem}' too; names tell needles apart")
        needles[image.stem] = Needle(image, row.text("question"), row.text("answer"), options)
    if not needles:
        raise ValueError(f"{path}: has no needles")
    return list(needles.values())


def make_needles(
    out: str | Path,
    hosts: Sequence[str],
    needles: Sequence[Needle],
    settings: Settings | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write ``needles.json`` and ``videos/`` into the folder ``out``: a video for each needle, length and depth.

    A video of T frames has the first frames of the hosts (joined, if one is too short) and the needle among them.
    Pictures keep their shape: they are made as large as fits, on black.

    Args:
        out: Made where it does not exist.
        hosts: Video files.
        needles: What is hidden, and asked for.
        settings: Default: ``Settings()``.
        workers: Processes that write videos; the result does not depend on it.
        progress: Called with (videos done, videos in all) after each.

    Returns:
        Number of videos.

    Raises:
        ValueError: If the hosts have too few frames for the longest video, or one of them cannot be read.
    """
    settings = settings or Settings()
    out = Path(out)
    (out / "videos").mkdir(parents=True, exist_ok=True)
    jobs = list(product(needles, sorted(set(settings.lengths)), sorted(set(settings.depths))))
    rows = []
    with _haystack(out, hosts, settings) as (file, shape), ExitStack() as stack:
        make = partial(_make, out=out, file=file, shape=shape, settings=settings)
        made: Iterator[dict[str, Any]] = map(make, jobs)
        if workers > 1:
            made = stack.enter_context(Pool(workers)).imap(make, jobs)
        for row in made:
            rows.append(row)
            if progress:
                progress(len(rows), len(jobs))
    (out / "needles.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return len(rows)


@contextmanager
def _haystack(out: Path, hosts: Sequence[str], settings: Settings) -> Iterator[tuple[Path, tuple[int, ...]]]:
    """A raw file of as many frames as the longest video takes, and their shape (N, H, W, 3); hours fit on a disk."""
    wanted = max(settings.lengths) - settings.shown
    size = _size(PyAVReader(), hosts, settings.size)
    shape = (wanted, *size, 3)
    with TemporaryDirectory(dir=out) as folder:
        file = Path(folder) / "haystack.raw"
        with file.open("wb") as raw:
            have = 0
            for frames_THWC in _host_frames(hosts, settings.fps, wanted):
                for frame_HWC in frames_THWC:
                    raw.write(_fitted(frame_HWC, size).tobytes())
                have += len(frames_THWC)
        if have < wanted:
            raise ValueError(
                f"needles: the longest video takes {wanted} frames of the hosts, which have {have} at "
                f"{settings.fps:g} frames per second ({', '.join(hosts)}). Give more hosts, or shorter lengths."
            )
        yield file, shape


def _host_frames(hosts: Sequence[str], fps: float, wanted: int) -> Iterator[np.ndarray]:
    """Frames (T, H, W, 3) of the hosts, one after another, a few at a time, ``wanted`` in all if there are."""
    reader = PyAVReader()
    for host in hosts:
        count = min(wanted, int(reader.probe(host).duration * fps + 1e-6))
        for start in range(0, count, _AT_ONCE):
            seconds = [index / fps for index in range(start, min(start + _AT_ONCE, count))]
            yield reader.read(host, seconds)[0]
        wanted -= count


def _size(reader: PyAVReader, hosts: Sequence[str], longest: int) -> tuple[int, int]:
    """Height and width, even, in the shape of the first host."""
    if not hosts:
        raise ValueError("needles: no host videos were given")
    meta = reader.probe(hosts[0])
    scale = longest / max(meta.height, meta.width)
    return max(2, 2 * round(meta.height * scale / 2)), max(2, 2 * round(meta.width * scale / 2))


def _fitted(frame_HWC: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture in the middle of a black frame of ``size``, as large as fits."""
    scale = min(size[0] / frame_HWC.shape[0], size[1] / frame_HWC.shape[1])
    height, width = (max(1, round(side * scale)) for side in frame_HWC.shape[:2])
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    canvas_HWC = np.zeros((*size, 3), np.uint8)
    small_1CHW = resize_frames(np.ascontiguousarray(frame_HWC)[None], (height, width))
    canvas_HWC[top : top + height, left : left + width] = small_1CHW[0].permute(1, 2, 0).numpy()
    return canvas_HWC


def _make(
    job: tuple[Needle, int, float], out: Path, file: Path, shape: tuple[int, ...], settings: Settings
) -> dict[str, Any]:
    """Write one video; return its row of ``needles.json``."""
    needle, length, depth = job
    host_NHWC = np.memmap(file, np.uint8, "r", shape=shape) if shape[0] else np.empty(shape, np.uint8)
    picture_HWC = _fitted(read_image(str(needle.image))[0][0], (shape[1], shape[2]))
    before = round(depth * (length - settings.shown))
    name = f"{needle.image.stem}_{length}_{depth:g}"

    def frames() -> Iterator[np.ndarray]:
        yield from host_NHWC[:before]
        for _ in range(settings.shown):
            yield picture_HWC
        yield from host_NHWC[before : length - settings.shown]

    write_video(frames(), out / "videos" / f"{name}.mp4", settings.fps, settings.crf)
    row: dict[str, Any] = {
        "id": name,
        "video": f"videos/{name}.mp4",
        "needle": needle.image.name,
        "question": needle.question,
        "answer": needle.answer,
        "length": length,
        "depth": depth,
        "second": before / settings.fps,
        "seconds": settings.shown / settings.fps,
    }
    return row | ({"options": list(needle.options)} if needle.options else {})
