"""Reads LLaVA-style annotation files: JSON (a list) or JSONL (one object a line)."""

import json
from pathlib import Path
from typing import Any


def load_annotations(path: str | Path) -> list[dict[str, Any]]:
    """Return the samples of an annotation file.

    Args:
        path: A ``.jsonl`` file has one JSON object a line; any other name holds one JSON list of objects.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not JSON (the line is named), not a list of objects, or empty.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Annotation file '{path}' does not exist. Check ann_file, and that the data is made.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"Annotation file '{path}' is not UTF-8 text: {error}") from error
    samples = _parse_lines(path, text) if path.suffix == ".jsonl" else _parse_list(path, text)
    for index, sample in enumerate(samples):
        if not isinstance(sample, dict):
            raise ValueError(f"{path}: sample {index} is a {type(sample).__name__}, expected an object with 'id'")
    if not samples:
        raise ValueError(f"Annotation file '{path}' has no samples")
    return samples


def _parse_lines(path: Path, text: str) -> list[Any]:
    samples = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                samples.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}: line {number} is not JSON: {error.msg} (column {error.colno})") from error
    return samples


def _parse_list(path: Path, text: str) -> list[Any]:
    try:
        samples = json.loads(text)
    except json.JSONDecodeError as error:
        hint = " One object a line is JSONL: name the file .jsonl." if error.msg == "Extra data" else ""
        raise ValueError(
            f"{path}: line {error.lineno} is not JSON: {error.msg} (column {error.colno}).{hint}"
        ) from error
    if not isinstance(samples, list):
        raise ValueError(f"{path}: expected a JSON list of samples, got a {type(samples).__name__}")
    return samples
