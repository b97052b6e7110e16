"""An endless order of samples that reads each file nearly from front to back."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from elva.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ShardSampler(Sampler[int]):
    """Shuffles the files, and the samples within a window; epoch after epoch, every sample once in each.

    Samples that are drawn one after another lie near each other, as in WebDataset's shuffle buffer, but what is
    shuffled are numbers, not contents. There is one order for all ranks, of which each takes every ``world``-th; so the
    order does not depend on the number of workers, nor (for batches that are as large together) on that of ranks,
    and no shard has to be as long as another.

    Args:
        dataset: One that knows its files: it has ``file_sizes``.
        shuffle: Whether to shuffle at all. Default: True.
        window: A sample comes at most so many places earlier or later than in its file; 0 shuffles files alone.
            Default: 1000.
        seed: Of the order. Default: drawn, the same in all ranks.

    Attributes:
        indices: The indices of this rank, without end; ``ResumableIterLoop`` draws those that were trained on.
    """

    def __init__(self, dataset: Any, shuffle: bool = True, window: int = 1000, seed: int | None = None) -> None:
        if not hasattr(dataset, "file_sizes"):
            raise ValueError(
                f"ShardSampler needs a data set that is read from files, not {type(dataset).__name__}; "
                "use sampler=dict(type='InfiniteSampler')."
            )
        if window < 0:
            raise ValueError(f"ShardSampler: window must not be negative, got {window}")
        rank, world = get_dist_info()
        self.sizes = np.asarray(dataset.file_sizes, np.int64)
        self.shuffle = shuffle
        self.window = window
        self.seed = sync_random_seed() if seed is None else seed
        self.indices = islice(self._endless(), rank, None, world)

    def __iter__(self) -> Iterator[int]:
        return self.indices

    def __len__(self) -> int:
        """Samples of an epoch, over all ranks."""
        return int(self.sizes.sum())

    def set_epoch(self, epoch: int) -> None:
        """Epochs follow one another by themselves."""

    def epoch(self, number: int) -> np.ndarray:
        """The order of one epoch, (N,) indices."""
        if not self.shuffle:
            return np.arange(len(self))
        generator = np.random.default_rng([self.seed, number])
        ends = np.cumsum(self.sizes)
        parts = [np.arange(ends[i] - self.sizes[i], ends[i]) for i in generator.permutation(len(self.sizes))]
        order = np.concatenate(parts)
        return order[np.argsort(np.arange(len(order)) + generator.uniform(0, self.window, len(order)), kind="stable")]

    def _endless(self) -> Iterator[int]:
        number = 0
        while True:
            yield from self.epoch(number).tolist()
            number += 1
