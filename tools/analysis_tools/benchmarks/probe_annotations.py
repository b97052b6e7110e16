"""What ``annotations.py`` measures, in a process that imports nothing else: ``probe_annotations.py BEGUN FILE ...``.

``BEGUN`` is when the process was started, in seconds since the epoch. Prints the numbers as JSON.
"""

import json
import random
import sys
import time
from pathlib import Path
from statistics import median

from torch.utils.data import DataLoader

from elva.datasets import MixtureDataset, VideoTextDataset

BATCH, READS = 32, 20_000
"""Samples of a batch; reads at random places."""


def main(begun: float, files: list[str]) -> dict[str, float]:
    """Open a mixture of annotation files, draw a batch, read samples."""
    imported, bare = time.time(), memory("VmHWM")
    mixture = MixtureDataset({file: {"dataset": VideoTextDataset(file)} for file in files})
    opened = time.time()
    batches = iter(DataLoader(mixture, BATCH, shuffle=True, num_workers=1, collate_fn=list))
    next(batches)
    first = time.time()
    del batches
    seconds = [_read(mixture, index) for index in random.Random(0).choices(range(len(mixture)), k=READS)]
    return {
        "s to the first batch": first - begun,
        "s of it for imports": imported - begun,
        "s of it to open the files": opened - imported,
        "ms a sample": 1000 * median(seconds),
        "ms a sample, 99 %": 1000 * sorted(seconds)[int(0.99 * READS)],
        "MB": memory("VmHWM"),
        "MB beyond imports": memory("VmHWM") - bare,
        "MB own": memory("RssAnon"),
    }


def memory(what: str) -> float:
    """A line of ``/proc/self/status`` in MB; its peak, unlike ``getrusage``'s, is not that of the parent process."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split(f"{what}:")[1].split()[0]) * 1024 / 1e6


def _read(mixture: MixtureDataset, index: int) -> float:
    start = time.perf_counter()
    mixture[index]
    return time.perf_counter() - start


if __name__ == "__main__":
    print(json.dumps(main(float(sys.argv[1]), sys.argv[2:])))
