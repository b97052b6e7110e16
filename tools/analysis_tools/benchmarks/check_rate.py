"""Files a second of ``check_dataset``, against reading the same frames and nothing else."""

import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from mmengine.config import Config

from elva.apis.check_dataset import CheckOptions, DatasetCheck
from elva.datasets.readers import DecordReader
from elva.datasets.sampling.times import spread
from elva.structures import VideoMeta

from .input_pipeline import render
from .result import Result
from .timing import median_ratio


def check_rate(
    clips: int = 8,
    length: int = 300,
    frames: int = 16,
    files: int = 400,
    rounds: int = 4,
    size: tuple[int, int] = (360, 640),
) -> list[Result]:
    """The check of a data set with all of its parts, against as many bare processes that share its files evenly.

    The bare processes have the same reader, and know which frames are wanted: nothing is planned, written or kept.
    Both count from the start of their processes to the last file.

    Args:
        clips: How many are rendered; the files are links to them.
        length: Frames of each, at 30 a second.
        frames: Read of each, evenly.
        files: How many there are.
        rounds: Turns of each way; one more before them warms up.
        size: Height and width of the clips in pixels.
    """
    workers = len(os.sched_getaffinity(0))
    seconds: dict[str, list[float]] = {"bare": [], "check": []}
    with tempfile.TemporaryDirectory() as folder:
        paths = _make_files(Path(folder), clips, length, size, files)
        times = spread(VideoMeta("", length / 30, 30.0, *size), frames)
        ways = {
            "bare": lambda: _bare(paths, times, workers),
            "check": lambda: _check(Path(folder), frames, workers),
        }
        for turn in range(rounds + 1):
            for name in list(ways)[:: -1 if turn % 2 else 1]:
                started = time.perf_counter()
                ways[name]()
                if turn:
                    seconds[name].append(time.perf_counter() - started)
    details = {f"files/s {name}": files / median(values) for name, values in seconds.items()}
    share = median_ratio(seconds["bare"], seconds["check"])
    return [Result("check_dataset: files/s over those of bare decoding", share, 0.9, True, details)]


def _make_files(folder: Path, clips: int, length: int, size: tuple[int, int], files: int) -> list[str]:
    """Render clips, give each many names, and write annotations of them."""
    scenes = [render(folder / f"scene_{number}.mp4", length, size, seed=number) for number in range(clips)]
    paths = [folder / f"{number}.mp4" for number in range(files)]
    for number, path in enumerate(paths):
        os.link(scenes[number % clips], path)
    turns = [{"from": "human", "value": "<video>\nWhat is shown?"}, {"from": "gpt", "value": "A drifting scene."}]
    rows = ({"id": path.stem, "video": path.name, "conversations": turns} for path in paths)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [str(path) for path in paths]


def _check(folder: Path, frames: int, workers: int) -> None:
    """A check from scratch."""
    load = {
        "type": "LoadVideo",
        "reader": {"type": "DecordReader"},
        "sampler": {"type": "UniformSampler", "num_frames": frames},
        "resolution": {"type": "NativeResolution", "patch_size": 16, "max_patches": 144},
    }
    dataset: dict[str, Any] = {"type": "VideoTextDataset", "ann_file": str(folder / "rows.jsonl")}
    dataset |= {"data_root": str(folder), "pipeline": [load]}
    cfg = Config({"train_dataloader": {"dataset": dataset}})
    findings = DatasetCheck(cfg, folder / "out", CheckOptions(workers=workers, fresh=True)).run()
    assert not findings.bad.any() and findings.frames.min() == frames


def _bare(paths: Sequence[str], times: Sequence[float], workers: int) -> None:
    """Processes that read frames and do nothing else."""
    processes = [
        multiprocessing.get_context("fork").Process(target=_read, args=(paths[number::workers], times))
        for number in range(workers)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def _read(paths: Sequence[str], times: Sequence[float]) -> None:
    reader = DecordReader()
    for path in paths:
        reader.read(path, times)
