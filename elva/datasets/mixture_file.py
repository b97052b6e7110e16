"""Mixtures that are written in YAML, as LLaVA-NeXT's are."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from elva.registry import DATASETS

from .mixture import MixtureDataset

_NAMES = {"json_path": "ann_file", "sampling_strategy": "take"}
"""LLaVA-NeXT's names of our arguments."""
_KEYS = (*_NAMES, "ann_file", "take", "weight", "name", "data_root", "format", "skip_list")


@DATASETS.register_module()
class MixtureFile(MixtureDataset):
    """A mixture of annotation files that a YAML file lists, all through one pipeline.

    ::

        datasets:
          - json_path: captions.json          # or ann_file
            sampling_strategy: first:10%      # or take; see VideoTextDataset
          - ann_file: chat.jsonl
            weight: 2                         # for all entries or for none; default: as many as there are samples
            name: chat                        # default: the file's, without its suffix
            data_root: videos/chat
            format: MessagesFormat            # or {type: ..., ...}
            skip_list: skip.jsonl

    Paths are relative to the working folder, as in a config.

    Args:
        file: The YAML file.
        data_root: What the paths in the annotations are relative to, where an entry names no other.
        pipeline: Transforms (or their configs) of every data set.
        mode, max_skip_share: As of :class:`VideoTextDataset`.
        length: Number of samples. Default: as many as it takes to show every sample of every source.

    Raises:
        FileNotFoundError: If the file or one that it names does not exist.
        ValueError: If the file is not such a list; file and entry are named.
    """

    def __init__(
        self,
        file: str,
        data_root: str = "",
        pipeline: Sequence[dict[str, Any] | Callable[[dict[str, Any]], dict[str, Any]]] = (),
        mode: str = "train",
        max_skip_share: float = 0.01,
        length: int | None = None,
    ) -> None:
        shared = {"data_root": data_root, "pipeline": list(pipeline), "mode": mode, "max_skip_share": max_skip_share}
        sources = read_mixture(file, **shared)
        for number, source in enumerate(sources.values(), start=1):
            try:
                source["dataset"] = DATASETS.build(source["dataset"])
            except (FileNotFoundError, ValueError) as error:
                raise type(error)(f"{file}: entry {number}: {error}") from error
        try:
            super().__init__(sources, length)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error


def read_mixture(file: str, **shared: Any) -> dict[str, dict[str, Any]]:
    """Return the ``datasets`` of :class:`MixtureDataset` that a YAML file lists; nothing else is opened.

    Args:
        file: The YAML file.
        **shared: Arguments of every :class:`VideoTextDataset`, where an entry has no other.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not such a list.
    """
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"Mixture file '{path}' {'is a folder' if path.is_dir() else 'does not exist'}.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    entries = content.get("datasets") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries or set(content) != {"datasets"}:
        raise ValueError(f"{path}: expected the one key 'datasets' with a list of entries 'json_path: ...'")
    sources: dict[str, dict[str, Any]] = {}
    for number, entry in enumerate(entries, start=1):
        try:
            _add(sources, entry, shared)
        except ValueError as error:
            raise ValueError(f"{path}: entry {number}: {error}") from error
    return sources


def expand_mixture(dataset: dict[str, Any]) -> dict[str, Any]:
    """Return the config of a data set; that of a :class:`MixtureFile` as that of the :class:`MixtureDataset` it is."""
    if dataset.get("type") != "MixtureFile":
        return dataset
    arguments = {key: value for key, value in dataset.items() if key not in ("type", "file", "length")}
    return {"type": "MixtureDataset", "datasets": read_mixture(dataset["file"], **arguments)}


def _add(sources: dict[str, dict[str, Any]], entry: Any, shared: Mapping[str, Any]) -> None:
    if not isinstance(entry, dict):
        raise ValueError(f"expected keys and values (json_path: ...), got {entry!r}")
    for key in entry:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1, cutoff=0.4)
            meant = f" Did you mean '{near[0]}'?" if near else ""
            raise ValueError(f"unknown key '{key}'.{meant} Known are: {', '.join(_KEYS)}")
    arguments = {_NAMES.get(key, key): value for key, value in entry.items()}
    if "ann_file" not in arguments:
        raise ValueError("neither 'json_path' nor 'ann_file' names the annotation file")
    for other, own in _NAMES.items():
        if other in entry and own in entry:
            raise ValueError(f"'{other}' and '{own}' are the same: keep one")
    weight, name = arguments.pop("weight", None), arguments.pop("name", None)
    name = name or _unused(Path(str(arguments["ann_file"])).stem, sources)
    if name in sources:
        raise ValueError(f"the name '{name}' is taken by an earlier entry")
    sources[name] = {"dataset": {"type": "VideoTextDataset", **shared, **arguments}}
    if weight is not None:
        sources[name]["weight"] = weight


def _unused(stem: str, taken: Mapping[str, Any]) -> str:
    names = [stem, *(f"{stem}-{number}" for number in range(2, len(taken) + 2))]
    return next(name for name in names if name not in taken)
