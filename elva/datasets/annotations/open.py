"""Which kind of annotation file a path is."""

from collections.abc import Callable
from pathlib import Path

from .base import AnnotationFile, check_exists
from .hf_dataset import HFDataset
from .json_array import JSONArray
from .json_lines import JSONLines
from .table import Table
from .tar_shard import TarShard

_KINDS: dict[str, Callable[[Path], AnnotationFile]] = {
    ".json": JSONArray,
    ".jsonl": JSONLines,
    ".ndjson": JSONLines,
    ".csv": Table,
    ".tsv": Table,
    ".parquet": Table,
    ".tar": TarShard,
}


def open_annotations(path: str | Path) -> AnnotationFile:
    """Open an annotation file by its suffix.

    Args:
        path: ``.json`` (an array of objects), ``.jsonl`` (one object a line), ``.csv``, ``.tsv``, ``.parquet``,
            ``.tar`` (a WebDataset shard), or a folder that Hugging Face's ``datasets`` saved.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another kind, or is not what its suffix says.
    """
    path = check_exists(path)
    kind = HFDataset if path.is_dir() else _KINDS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"Annotation file '{path}': its suffix is none of {', '.join(_KINDS)}")
    return kind(path)
