import math

import pytest
import torch

from tools.analysis_tools.benchmarks.matching import _Case, matching


def test_three_ratios_are_measured():
    results = matching(image=33, clip=64, width=8, keys=4, window=6, rounds=1)
    assert [result.target for result in results] == [1.0, 1.0, 10.0]
    for result in results:
        assert result.at_least
        assert math.isfinite(result.measured)
        assert set(result.details) == {"ms plain", "ms elva"}


@pytest.mark.parametrize("rows", [40, 41])
def test_both_forms_do_the_same_work(rows):
    """Only the order differs: the plain form gives the unmerged even rows first, most similar first, then the odd."""
    case = _Case.of(rows, width=6, keys=16)
    merged = case.merge()
    move, stay, _ = case.plain_search()
    x, size = case.plain_merge()
    kept = torch.cat((2 * stay.flatten(), torch.arange(1, rows, 2)))
    order = kept.argsort()
    assert len(move.flatten()) == rows // 4
    assert torch.equal(merged.pos[0], kept[order])
    torch.testing.assert_close(merged.h[0], x[0, order])
    torch.testing.assert_close(merged.size[0], size[0, order, 0])
