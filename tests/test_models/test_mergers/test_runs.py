from itertools import pairwise

import pytest
import torch
from torch.nn.functional import cosine_similarity

from elva.models.mergers import runs
from elva.models.mergers.runs import run_heads, successive_cosines, successive_pairs
from elva.models.mergers.similarity import metric
from elva.testing import make_prompt, tiny_decoder
from elva.testing.case import SAMPLES


@pytest.mark.parametrize("block", [64, 32 * 7, 2**19])
def test_cosines_do_not_depend_on_the_size_of_the_blocks(block, monkeypatch):
    state = make_prompt(tiny_decoder(), SAMPLES).state
    rows = torch.randperm(state.h.shape[0] * state.h.shape[1], generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(runs, "_BLOCK", block)
    got = successive_cosines(rows, metric(state, None, "normed"), 32)
    flat = state.h.flatten(0, 1)[rows]
    torch.testing.assert_close(got[1:], cosine_similarity(flat[1:], flat[:-1], dim=1), atol=1e-6, rtol=0)
    assert got[0] == 0


def test_runs_of_links_join_their_first_row():
    order = torch.tensor([[3, 0, 4, 1, 2, 5]])
    link = torch.tensor([[False, True, True, False, True, False]])
    assert run_heads(order, link).tolist() == [[3, 1, 1, 3, 3, 5]]


def test_pairs_are_successive_rows_of_one_place():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    order, score = successive_pairs(state, metric(state, None, "raw"))
    for b in range(len(SAMPLES)):
        expected = {}
        for slot in set(state.slot[b].tolist()) - {-1}:
            rows = [row for row in (state.slot[b] == slot).nonzero().flatten().tolist() if state.mergeable[b, row]]
            for before, after in pairwise(rows):
                expected[after] = cosine_similarity(state.h[b, before], state.h[b, after], dim=0)
        assert {int(order[b, at]) for at in score[b].isfinite().nonzero()} == set(expected)
        for at in score[b].isfinite().nonzero().flatten():
            torch.testing.assert_close(score[b, at], expected[int(order[b, at])], atol=1e-6, rtol=0)
