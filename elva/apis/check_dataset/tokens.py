"""How many rows samples have in the language model, from metadata alone.

Legend: N samples, R files named by them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from mmengine.config import Config

from elva.apis.cost.model import build_on_meta
from elva.apis.cost.rows import RowCounter
from elva.structures import FramePlan, VideoMeta

from .files import FileTable
from .scan import UNKNOWN
from .sources import Bounds

_TEXT = 65
"""Text ids beside a video where reducers look at the question; its own are not kept."""

_CACHED = 1 << 16


@dataclass(frozen=True)
class Visual:
    """What samples show to the language model.

    Attributes:
        frames: (N,) int32 frames of a sample; -1 where a file of it cannot be read.
        tokens: (N,) int32 visual tokens of a sample that enter the language model; -1 likewise.
        misfits: Places of R from which no frames can be chosen, and why.
    """

    frames: np.ndarray
    tokens: np.ndarray
    misfits: dict[int, str]


def token_counter(cfg: Config) -> Callable[[FramePlan], int]:
    """Return the function that counts the tokens of a plan which enter the language model; no weight is made.

    Reducers that decide by content are counted on drawn frames, see :class:`~elva.apis.cost.rows.RowCounter`.

    Raises:
        ValueError: If the config has no model.
    """
    if not cfg.get("model"):
        raise ValueError("the config has no model")
    model: Any = build_on_meta(cfg)
    rows = RowCounter(cfg.model, model.tokenizer, model.llm.depth)

    @lru_cache(_CACHED)
    def of_sizes(sizes: tuple[tuple[int, int], ...]) -> int:
        plan = FramePlan(tuple(map(float, range(len(sizes)))), sizes)  # the times do not matter
        return rows.count((plan,), _TEXT, merged=False).reduced

    return lambda plan: of_sizes(plan.sizes)


def uncounted(plan: FramePlan) -> int:
    """In place of a counter, where there is none."""
    del plan
    return UNKNOWN


def count_visual(table: FileTable, count: Callable[[FramePlan], int]) -> Visual:
    """Plan every sample's videos and count.

    Args:
        table: Files that were looked at.
        count: Counts the tokens of a plan.
    """
    plan = lru_cache(_CACHED)(lambda source, meta, bounds: _planned(table, source, meta, bounds, count))
    frames_R, tokens_R = (np.full(len(table.file), UNKNOWN, np.int32) for _ in range(2))
    misfits: dict[int, str] = {}
    usable_R = (table.ok & table.known)[table.file]
    for place in np.flatnonzero(usable_R).tolist():
        source = int(table.source[table.sample[place]])
        found = plan(source, table.meta(int(table.file[place])), table.part(place))
        if isinstance(found, str):
            misfits[place] = f"{table.path(place)}: {found.removeprefix(': ')}"  # the plan was made without a path
        else:
            frames_R[place], tokens_R[place] = found
    return Visual(_summed(table, frames_R), _summed(table, tokens_R), misfits)


def _planned(
    table: FileTable, source: int, meta: VideoMeta, bounds: Bounds, count: Callable[[FramePlan], int]
) -> tuple[int, int] | str:
    """Frames and tokens of a video; in words why there are none."""
    load = table.sources[source].load
    assert load is not None
    try:
        plan = load.plan_of(meta, bounds=bounds)
        return len(plan), count(plan)
    except ValueError as error:
        return str(error)


def _summed(table: FileTable, values_R: np.ndarray) -> np.ndarray:
    """(N,) int32 sums over the files of each sample; -1 where one of them is unknown."""
    sums_N = np.bincount(table.sample, values_R, len(table.source)).astype(np.int32)
    unknown_N = np.bincount(table.sample, values_R < 0, len(table.source)) > 0
    sums_N[unknown_N] = UNKNOWN
    return sums_N
