from itertools import combinations, pairwise

import numpy as np
import pytest
import torch

from elva.models.reducers.sites import Sites
from elva.models.reducers.static_windows import best_windows, cut, standing_still
from elva.testing.reducer_contract import draw


def most_gain(alike, longest):
    """Over every way of cutting."""
    frames, best = len(alike), -1
    for number in range(frames):
        for cuts in combinations(range(1, frames), number):
            edges = [0, *cuts, frames]
            windows = list(pairwise(edges))
            if all(b - a <= longest for a, b in windows):
                best = max(best, sum(int(alike[a + 1 : b].all(0).sum()) * (b - a - 1) for a, b in windows))
    return best


@pytest.mark.parametrize("longest", [1024, 3])
@pytest.mark.parametrize("seed", range(5))
def test_no_other_cut_has_more_gain(seed, longest):
    alike = np.random.default_rng(seed).random((8, 6)) < 0.75
    start, gain = best_windows(alike, longest)
    assert gain == most_gain(alike, longest)
    assert np.bincount(start).max() <= longest
    edges = [*sorted(set(start.tolist())), 8]
    windows = list(pairwise(edges))
    assert gain == sum(int(alike[a + 1 : b].all(0).sum()) * (b - a - 1) for a, b in windows)


def test_of_equal_gains_the_last_window_is_the_shortest():
    start, gain = best_windows(np.array([[False, False], [True, False], [False, True]]), 1024)
    assert (start.tolist(), gain) == ([0, 0, 2], 1)


def test_frames_of_each_size_are_cut_apart():
    sites = Sites.of(draw([((2, 2), (1, 2)) * 3, ((2, 2),) * 2]))
    alike = sites.there_BTS & (sites.ordinal_BT > 0)[..., None]
    alike[0, 4] = False  # the third large frame is a new scene
    windows = cut(alike, sites.stream_BT, 1024)
    assert windows.start_BT.tolist() == [[0, 1, 0, 1, 4, 1], [0, 0, 2, 3, 4, 5]]
    assert windows.gain_B.tolist() == [4 + 2 * 2, 4]
    static = standing_still(alike, sites, windows.start_BT)
    assert static.sum(2).tolist() == [[4, 2, 4, 2, 0, 2], [4, 4, 0, 0, 0, 0]]


def test_a_site_that_moves_once_does_not_stand_still_in_its_window():
    sites = Sites.of(draw([((2, 2),) * 4]))
    alike = sites.there_BTS & (sites.ordinal_BT > 0)[..., None]
    alike[0, 2, 0] = False
    static = standing_still(alike, sites, torch.zeros(1, 4, dtype=torch.long))
    assert static[0, :, 0].tolist() == [False] * 4
    assert static.sum(2).tolist() == [[3] * 4]
