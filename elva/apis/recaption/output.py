"""The files that a run leaves: captions in the order of the annotation, and the list of what has none."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from elva.utils.progress import track

from .samples import Samples
from .state import State


def write_captions(path: Path, samples: Samples, state: State) -> None:
    """Write the captioned samples as JSONL in LLaVA's form, ordered as the annotation, one at a time."""
    done = np.flatnonzero(state.done)
    _write(path, _captioned(samples, state, track(done, "writing", len(done)) if len(done) > _MANY else done))


def write_failed(path: Path, samples: Samples, state: State) -> None:
    """Write the samples without a caption as JSONL: ``id``, ``video``/``image``, ``error``, ``detail``, ``reply``."""
    _write(path, _failed(samples, state))


_MANY = 100_000


def _captioned(samples: Samples, state: State, indices: Iterable[int]) -> Iterator[dict[str, Any]]:
    for index in indices:
        line = state.line(int(index))
        made = {name: line[name] for name in ("model", "protocol", "requests", "tokens_in", "tokens_out")}
        yield samples[int(index)].captioned(line["caption"], made)


def _failed(samples: Samples, state: State) -> Iterator[dict[str, Any]]:
    for index in np.flatnonzero(state.failed):
        yield samples.named(int(index)) | {k: v for k, v in state.line(int(index)).items() if k not in ("key", "id")}


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write all of a file or leave the one that is there."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", errors="backslashreplace") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")  # a table may hold dates
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
