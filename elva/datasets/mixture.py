"""Several data sets as one, in set proportions."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from elva.registry import DATASETS

from .skips import SkipLog


@DATASETS.register_module()
class MixtureDataset(Dataset):
    """Interleaves data sets evenly by weight; which index shows which sample never changes.

    Any stretch of indices has the sources in proportion to their weights, to within one sample each. A source runs
    through its samples in order and starts again when it is through.

    Args:
        datasets: For each source, by a name that configs can change it by, a dict with ``dataset`` (a data set or its
            config) and, optionally, ``weight``, for all of them or for none (default: the data set's length, so that
            every sample is equally frequent).
        length: Number of samples. Default: as many as it takes to show every sample of every source.

    Raises:
        ValueError: If there is no data set, a key is unknown, or a weight or the length is not positive.
    """

    def __init__(self, datasets: Mapping[str, dict[str, Any]], length: int | None = None) -> None:
        if not datasets:
            raise ValueError("MixtureDataset: datasets is empty")
        if not isinstance(datasets, Mapping):
            raise ValueError(
                "MixtureDataset: datasets must name its sources: dict(images=dict(dataset=...), videos=...), "
                f"got a {type(datasets).__name__}"
            )
        for name, entry in datasets.items():
            if "dataset" not in entry or set(entry) - {"dataset", "weight"}:
                raise ValueError(
                    f"MixtureDataset: datasets[{name!r}] must have the keys 'dataset' and (optionally) 'weight', "
                    f"got {', '.join(entry)}"
                )
        built = (entry["dataset"] for entry in datasets.values())
        self.datasets = [DATASETS.build(dataset) if isinstance(dataset, dict) else dataset for dataset in built]
        sizes = np.array([len(dataset) for dataset in self.datasets])
        given = [entry.get("weight", size) for entry, size in zip(datasets.values(), sizes.tolist(), strict=True)]
        if len({"weight" in entry for entry in datasets.values()}) > 1:
            without = ", ".join(name for name, entry in datasets.items() if "weight" not in entry)
            raise ValueError(f"MixtureDataset: give every source a weight or none; there is none for {without}")
        if not all(isinstance(weight, int | float) and 0 < weight < math.inf for weight in given):
            raise ValueError(f"MixtureDataset: weights must be positive numbers, got {given}")
        share = np.array(given, float) / sum(given)
        if length is None:
            length = math.ceil((sizes / share).max() - 1e-6)
        if length < 1:
            raise ValueError(f"MixtureDataset: length must be positive, got {length}")
        source, turn = _interleave(share, length)
        index = turn % sizes[source]
        self._source = source.astype(np.min_scalar_type(len(sizes)))  # a few bytes a sample, in every process
        self._index = index.astype(np.min_scalar_type(sizes.max()))

    @property
    def metainfo(self) -> dict[str, Any]:
        """What MMEngine's loops hand to the evaluator."""
        return {"sources": [getattr(dataset, "metainfo", {}) for dataset in self.datasets]}

    @property
    def skip_log(self) -> SkipLog:
        """Where skipped samples are noted; setting it sets that of every source."""
        return self.datasets[0].skip_log

    @skip_log.setter
    def skip_log(self, log: SkipLog) -> None:
        for dataset in self.datasets:
            dataset.skip_log = log

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return the sample that stands at ``index``."""
        return self.datasets[self._source[index]][int(self._index[index])]


def _interleave(share: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """For each of ``length`` places its source, and which turn of that source it is.

    Turn ``m`` of a source with share ``p`` is due at ``(m + 1/2) / p``; the first ``length`` due ones are taken.
    """
    counts = np.ceil(share * length).astype(int) + 1
    source = np.repeat(np.arange(len(share)), counts)
    turn = np.concatenate([np.arange(count) for count in counts])
    order = np.argsort((turn + 0.5) / share[source], kind="stable")[:length]
    return source[order], turn[order]
