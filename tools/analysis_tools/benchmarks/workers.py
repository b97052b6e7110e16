"""What a second data loader worker is worth."""

import io
import json
import tempfile
import time
from contextlib import redirect_stderr
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from torch.utils.data import DataLoader

from elva.datasets import VideoTextDataset, collate_samples
from elva.utils.tiny_llm import TinyLLMSettings, make_tiny_llm

from .input_pipeline import render
from .result import Result
from .timing import median_ratio

ANSWER = "A drifting scene of coloured blocks, and grain over all of it."
PREFETCH = 2


def workers(
    clips: int = 12,
    length: int = 300,
    frames: int = 16,
    batches: int = 24,
    rounds: int = 4,
    batch_size: int = 2,
    size: tuple[int, int] = (360, 640),
) -> list[Result]:
    """Samples a second of the whole pipeline (read, resize, tokenize, pack, collate) with two workers over one.

    The clock starts when the workers run and their queues are full, and stops ``batches`` later; nothing else is
    done with a batch. Two workers need two cores.

    Args:
        clips: How many H.264 clips are rendered; the samples go round among them.
        length: Frames of each, at 30 a second.
        frames: Chosen from each, evenly.
        batches: Batches that are timed in each round.
        rounds: Turns of each number of workers.
        batch_size: Samples of a batch.
        size: Height and width of the clips in pixels.
    """
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder:
        names = [render(Path(folder) / f"{i}.mp4", length, size, seed=i).name for i in range(clips)]
        ann_file = _annotate(Path(folder), names, samples=batch_size * (batches + 16))
        dataset = VideoTextDataset(str(ann_file), folder, _pipeline(Path(folder), frames))
        for number in range(rounds):
            for count in list(seconds)[:: -1 if number % 2 else 1]:
                seconds[count].append(_seconds(dataset, count, batches, batch_size))
    details = {f"samples/s {count}": batches * batch_size / median(times) for count, times in seconds.items()}
    return [Result("input pipeline: 2 workers over 1", median_ratio(seconds[1], seconds[2]), 1.6, True, details)]


def _annotate(folder: Path, names: list[str], samples: int) -> Path:
    """An annotation file of ``samples`` captions that goes round among the clips."""
    rows = [{"id": str(i), "video": names[i % len(names)], "caption": ANSWER} for i in range(samples)]
    path = folder / "captions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _pipeline(folder: Path, frames: int) -> list[dict[str, Any]]:
    tiny = TinyLLMSettings(hidden=8, layers=1, heads=2, intermediate=8)
    with redirect_stderr(io.StringIO()):  # a progress bar
        make_tiny_llm(folder / "llm", [folder / "captions.jsonl"], tiny)
    load: dict[str, Any] = {
        "type": "LoadVideo",
        "reader": {"type": "DecordReader"},
        "sampler": {"type": "UniformSampler", "num_frames": frames},
        "resolution": {"type": "NativeResolution", "patch_size": 16, "max_patches": 144},
    }
    return [load, {"type": "TokenizeConversation", "path": str(folder / "llm")}, {"type": "PackSample"}]


def _seconds(dataset: VideoTextDataset, count: int, batches: int, batch_size: int) -> float:
    loader = DataLoader(dataset, batch_size, num_workers=count, collate_fn=collate_samples, prefetch_factor=PREFETCH)
    stream = iter(loader)
    warm_up = 2 * PREFETCH * count  # as many are made before the clock starts as are made after it
    for _ in islice(stream, warm_up):
        pass
    start = time.perf_counter()
    for _ in islice(stream, batches):
        pass
    return time.perf_counter() - start
