"""Folders that Hugging Face's ``datasets`` wrote."""

import json
from pathlib import Path
from typing import Any

from .base import AnnotationFile, check_exists
from .plain_row import plain_row

_ONE, _SEVERAL = "state.json", "dataset_dict.json"


class HFDataset(AnnotationFile):
    """The rows of a folder that ``Dataset.save_to_disk`` wrote; of a ``DatasetDict``, that of one of its splits.

    The library maps the folder's Arrow files; nothing is decoded, a video's or image's content becomes a file (see
    :func:`plain_row`). What is null in a row is left out.

    Args:
        path: The folder.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it is no such folder, has several splits, or no rows; or ``datasets`` is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = check_exists(path)
        if not (self.path / _ONE).exists():
            _refuse(self.path)
        try:
            from datasets import load_from_disk
        except ImportError as error:
            raise ValueError(
                f"{self.path} is a folder of Hugging Face's datasets: install them, pip install 'elva[datasets]'"
            ) from error
        self._rows = load_from_disk(str(self.path)).with_format("arrow")
        if not len(self._rows):
            raise ValueError(f"Annotation folder '{self.path}' has no samples")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        (row,) = self._rows[index].to_pylist()
        try:
            return plain_row(row)
        except ValueError as error:
            raise ValueError(f"{self.where(index)}: {error}") from error

    def where(self, index: int) -> str:
        return f"{self.path}: row {index}"


def _refuse(path: Path) -> None:
    """Raise the ``ValueError`` that says what a folder is instead of a saved data set."""
    if (path / _SEVERAL).exists():
        splits = json.loads((path / _SEVERAL).read_text(encoding="utf-8"))["splits"]
        raise ValueError(f"{path} has the splits {', '.join(splits)}: name the folder of one, '{path / splits[0]}'")
    raise ValueError(
        f"{path} is a folder, but not one that datasets.save_to_disk wrote (it has no {_ONE}). "
        "Name the annotation file itself, or save the data set with save_to_disk."
    )
