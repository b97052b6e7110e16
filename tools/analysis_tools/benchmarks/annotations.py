"""A million samples: how soon the first batch is there, how much memory a process takes, how long a sample takes."""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .result import Result

_ROOT = Path(__file__).resolve().parents[3]
_PROBE = Path(__file__).with_name("probe_annotations.py")
_WORDS = "a the man woman dog car walks runs slowly over from while another then"


def annotations(samples: int = 1_000_000, others: tuple[str, ...] = ("JSON", "Parquet", "HF")) -> list[Result]:
    """A mixture of two annotation files in a process of its own; the targets are for JSONL, other kinds are details.

    The time to the first batch begins with the start of the process, imports included, and ends with a batch from a
    data loader with one worker. The pipeline is empty: nothing is decoded or tokenized, it is the annotations that are
    measured. Files are opened twice: new ones, for which JSON is indexed and Parquet converted, and known ones. Memory
    is the peak resident set of the process that then reads samples at random places. It has what was read of mapped
    files (Parquet, HF), which all processes share and the system takes back when it needs room; "own" is without them.

    Args:
        samples: Of both files together, about 500 bytes each.
        others: Kinds of files that are measured beside JSONL.
    """
    with tempfile.TemporaryDirectory() as folder:
        kinds = write_files(Path(folder), samples)
        found = {
            (kind, state): _probe(Path(folder), kinds[kind])
            for kind in ("JSONL", *others)
            for state in ("new", "known")
        }
    details = {f"{kind}, {state}: {what}": n for (kind, state), run in found.items() for what, n in run.items()}
    name, run = f"{samples:,} samples of JSONL", found["JSONL", "new"]
    return [
        Result(f"{name}: s to the first batch", run["s to the first batch"], 10, False),
        Result(f"{name}: MB a process", run["MB"], 500, False),
        Result(f"{name}: ms a sample", run["ms a sample"], 1, False, details),
    ]


def write_files(folder: Path, samples: int) -> dict[str, list[str]]:
    """Write the same samples as JSONL, JSON, Parquet and a folder of Hugging Face's ``datasets``, two files each."""
    import pyarrow as pa
    from datasets import Dataset, disable_progress_bars
    from pyarrow import json as arrow_json
    from pyarrow import parquet

    disable_progress_bars()
    kinds: dict[str, list[str]] = {kind: [] for kind in ("JSONL", "JSON", "Parquet", "HF")}
    for number, count in enumerate((samples // 5 * 4, samples - samples // 5 * 4)):
        lines, array, table, saved = (folder / f"{number}{end}" for end in (".jsonl", ".json", ".parquet", "_hf"))
        with lines.open("w") as as_lines, array.open("w") as as_array:
            for place, row in enumerate(_rows(count, number)):
                text = json.dumps(row)
                as_lines.write(text + "\n")
                as_array.write(("[\n" if place == 0 else ",\n") + text)
            as_array.write("\n]\n")
        rows: pa.Table = arrow_json.read_json(lines)
        parquet.write_table(rows, table)
        Dataset(rows).save_to_disk(str(saved))
        for kind, path in zip(kinds, (lines, array, table, saved), strict=True):
            kinds[kind].append(str(path))
    return kinds


def _rows(count: int, seed: int) -> Iterator[dict[str, Any]]:
    draw = random.Random(seed)
    texts = [" ".join(draw.choices(_WORDS.split(), k=66)) for _ in range(1000)]
    for number in range(count):
        talk = [
            {"from": "human", "value": "<image>\nPlease describe the video in detail."},
            {"from": "gpt", "value": f"{draw.choice(texts)} {number}"},
        ]
        yield {"id": f"{seed}-{number:08}", "video": f"clips_{number % 1000:04}/{number}.mp4", "conversations": talk}


def _probe(folder: Path, files: list[str]) -> dict[str, float]:
    """What ``probe_annotations.py`` finds in a fresh process."""
    env = os.environ | {"PYTHONPATH": str(_ROOT), "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, str(_PROBE), str(time.time()), *files]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    numbers: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return numbers
