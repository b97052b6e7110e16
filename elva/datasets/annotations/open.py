"""Which kind of annotation file a path is."""

from pathlib import Path

from .base import AnnotationFile, check_exists
from .json_array import JSONArray
from .json_lines import JSONLines
from .tar_shard import TarShard

_KINDS: dict[str, type[JSONArray] | type[JSONLines] | type[TarShard]] = {
    ".json": JSONArray,
    ".jsonl": JSONLines,
    ".ndjson": JSONLines,
    ".tar": TarShard,
}


def open_annotations(path: str | Path) -> AnnotationFile:
    """Open an annotation file by its suffix.

    Args:
        path: ``.json`` (an array of objects), ``.jsonl`` (one object a line) or ``.tar`` (a WebDataset shard).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another kind, or is not what its suffix says.
    """
    path = check_exists(path)
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"Annotation file '{path}': its suffix is none of {', '.join(_KINDS)}")
    return kind(path)
