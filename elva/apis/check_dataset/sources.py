"""The data sets that a config reads, each with the steps of its pipeline that decide what is read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from elva.apis.cost.sample import leaves
from elva.datasets.item_dataset import ItemDataset
from elva.datasets.transforms import LoadVideo, TokenizeConversation
from elva.registry import DATASETS
from elva.utils.text_tokenizer import load_text_tokenizer

Bounds = tuple[float, float] | None
"""First and last second of the part of a video that a sample looks at; None for all of it."""

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Source:
    """One data set of a (mixed) data set.

    Attributes:
        name: Of its annotation files, for people.
        dataset: The data set.
        reader: Says how its files are read: files are the same if path and reader are.
        loading: Says which frames are read, ``reader`` included.
        untold: Why text cannot be counted; empty if it can.
    """

    name: str
    dataset: ItemDataset
    reader: str
    loading: str
    untold: str = ""

    @property
    def load(self) -> LoadVideo | None:
        """The step that reads its videos."""
        return next((step for step in self.dataset.transforms if isinstance(step, LoadVideo)), None)

    @property
    def text(self) -> TokenizeConversation | None:
        """The step that makes token ids of its conversations; None if it is ``untold``."""
        if self.untold:
            return None
        return next((step for step in self.dataset.transforms if isinstance(step, TokenizeConversation)), None)

    def tokenized(self, item: dict[str, Any]) -> dict[str, Any]:
        """What the pipeline makes of a raw item up to its token ids, without reading a video.

        Raises:
            ValueError: If a step refuses the item.
        """
        item = item | {"clips": []}
        for step in self.dataset.transforms:
            if not isinstance(step, LoadVideo):
                item = step(item)
            if isinstance(step, TokenizeConversation):
                break
        return item


def sources_of(cfg: Config, split: str) -> list[Source]:
    """The data sets of a data loader, through mixtures and wrappers.

    Args:
        cfg: A config.
        split: Of ``SPLITS``.

    Raises:
        FileNotFoundError: If an annotation file does not exist.
        ValueError: If the config has no such data loader, or a data set does not tell its raw items.
    """
    dataset = (cfg.get(f"{split}_dataloader") or {}).get("dataset")
    if not dataset:
        there = [name for name in SPLITS if cfg.get(f"{name}_dataloader")]
        raise ValueError(f"The config has no {split}_dataloader with a dataset (it has: {', '.join(there) or 'none'}).")
    return [_source(leaf) for leaf, _ in leaves(dataset)]


def _source(config: dict[str, Any]) -> Source:
    dataset = DATASETS.build(config)
    if not isinstance(dataset, ItemDataset):
        raise ValueError(
            f"{type(dataset).__name__} does not tell its raw items by number (it is no ItemDataset): "
            "point the config at the files that it reads."
        )
    steps = {str(step["type"]): step for step in config.get("pipeline", ()) if isinstance(step, Mapping)}
    load = dict(steps.get("LoadVideo", {}))
    return _with_tokenizer(Source(_name(config), dataset, _words(load.get("reader")), _words(load)))


def _with_tokenizer(source: Source) -> Source:
    """``source`` with its text tokenizer loaded, once for all processes; or with the reason why there is none."""
    if source.text is None:
        return replace(source, untold="its pipeline has no TokenizeConversation")
    try:
        load_text_tokenizer(source.text.path)
    except FileNotFoundError as error:
        return replace(source, untold=str(error))
    return source


def _name(config: Mapping[str, Any]) -> str:
    files = config.get("ann_file") or config["type"]
    return ", ".join(Path(str(file)).name for file in ([files] if isinstance(files, str | Path) else files))


def _words(config: Any) -> str:
    """A config as text that is the same whenever the config is."""
    return json.dumps(config, sort_keys=True, default=str)


def first_index(sources: Sequence[Source]) -> list[int]:
    """The number of each source's first sample, counted through all sources; and, last, that of all samples."""
    ends = [0]
    for source in sources:
        ends.append(ends[-1] + len(source.dataset))
    return ends
