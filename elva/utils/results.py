"""Writes what a test found: ``--out``."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

_SUFFIXES = (".json", ".jsonl")


def check_out(path: str | Path) -> None:
    """Raise ``ValueError`` unless results can be written to ``path`` (before hours of testing, not after).

    A pickle is refused: reading one back can run code.
    """
    if Path(path).suffix not in _SUFFIXES:
        raise ValueError(f"--out {path}: results are written as {' or '.join(_SUFFIXES)}, which anything can read.")


def write_results(path: str | Path, metrics: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> None:
    """Write metrics and predictions.

    Args:
        path: ``.json``: one object with ``metrics`` and ``predictions``; ``.jsonl``: one prediction a line.
        metrics: Numbers by name.
        records: What is known of each sample: id, question, answer, prediction, ...
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        lines = [json.dumps(record, ensure_ascii=False, default=_plain) for record in records]
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    else:
        content = {"metrics": dict(metrics), "predictions": list(records)}
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1, default=_plain) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")
