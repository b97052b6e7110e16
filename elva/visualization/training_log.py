"""Reads the numbers that a training logged."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

Record = Mapping[str, float]
"""What was logged at one interval, by name; ``step`` is the iteration."""


def read_scalars(work_dir: str | Path) -> list[Record]:
    """Records of the newest run in a work directory, in order.

    Args:
        work_dir: That of the training; MMEngine writes ``<work_dir>/<time>/vis_data/scalars.json``, one object a line.

    Raises:
        FileNotFoundError: If nothing was logged there.
    """
    files = sorted(Path(work_dir).glob("*/vis_data/scalars.json"))
    if not files:
        raise FileNotFoundError(
            f"{work_dir} has no */vis_data/scalars.json: nothing was logged there, or visualizer.vis_backends of the "
            "config lacks LocalVisBackend"
        )
    return [json.loads(line) for line in files[-1].read_text(encoding="utf-8").splitlines()]


def series(records: Sequence[Record], name: str) -> tuple[list[float], list[float]]:
    """Steps and values of one number; records that lack it are passed over."""
    pairs = [(record["step"], record[name]) for record in records if name in record]
    return [step for step, _ in pairs], [value for _, value in pairs]
