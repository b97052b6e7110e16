from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest

from elva.datasets.webdataset import ShardSampler
from elva.registry import DATA_SAMPLERS

SIZES = [5, 0, 40, 1, 30]
TOTAL = sum(SIZES)


@pytest.fixture
def ranks(monkeypatch):
    """A function that builds the samplers of all ranks."""

    def build(world: int, **options) -> list[ShardSampler]:
        samplers = []
        for rank in range(world):
            monkeypatch.setattr("elva.datasets.webdataset.shard_sampler.get_dist_info", lambda rank=rank: (rank, world))
            samplers.append(ShardSampler(SimpleNamespace(file_sizes=SIZES), **{"seed": 3, **options}))
        return samplers

    return build


def drawn(sampler: ShardSampler, count: int) -> list[int]:
    return list(islice(sampler.indices, count))


def test_every_sample_comes_once_in_each_epoch(ranks):
    (sampler,) = ranks(1, window=10)
    indices = drawn(sampler, 3 * TOTAL)
    epochs = [indices[e * TOTAL : (e + 1) * TOTAL] for e in range(3)]
    assert all(sorted(epoch) == list(range(TOTAL)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert len(sampler) == TOTAL


@pytest.mark.parametrize("world", [2, 3, 7])
def test_ranks_share_one_order(ranks, world):
    whole = drawn(ranks(1)[0], 2 * TOTAL)
    parts = [drawn(sampler, 2 * TOTAL // world) for sampler in ranks(world)]
    assert [index for turn in zip(*parts, strict=True) for index in turn] == whole[: 2 * TOTAL // world * world]


def test_files_are_shuffled_and_samples_stay_near_each_other(ranks):
    (sampler,) = ranks(1, window=0)
    order = sampler.epoch(0)
    file_of = np.repeat(np.arange(len(SIZES)), SIZES)
    assert (np.diff(file_of[order]) != 0).sum() == np.count_nonzero(SIZES) - 1  # one file after another
    assert not np.array_equal(order, np.arange(TOTAL))
    (shuffled,) = ranks(1, window=8)
    places = np.empty(TOTAL, int)
    places[shuffled.epoch(0)] = np.arange(TOTAL)
    moved = np.abs(places[order] - np.arange(TOTAL))
    assert 0 < moved.max() <= 8


def test_the_seed_decides(ranks):
    first, again, other = (drawn(ranks(1, seed=seed)[0], 50) for seed in (1, 1, 2))
    assert first == again != other
    assert drawn(ranks(1, shuffle=False)[0], TOTAL + 2) == [*range(TOTAL), 0, 1]


def test_data_sets_without_files_are_refused():
    with pytest.raises(ValueError, match=r"needs a data set that is read from files, not list; .*InfiniteSampler"):
        DATA_SAMPLERS.build({"type": "ShardSampler", "dataset": [1], "seed": 0})
    with pytest.raises(ValueError, match="window must not be negative"):
        ShardSampler(SimpleNamespace(file_sizes=SIZES), window=-1)
