import torch

from elva.models.llms.cached_rows import CachedRows
from elva.structures import PAD_RANK
from elva.structures.packing import Packing
from elva.testing import make_prompt, tiny_decoder
from elva.testing.builders import more_text
from elva.testing.case import SAMPLES


def test_a_mask_over_the_cache_hides_padding_and_the_future():
    llm = tiny_decoder()
    first = CachedRows.of(make_prompt(llm, [(3,), (1,)]).state)
    more = more_text(llm, torch.tensor([[1, 2], [3, 4]]), torch.tensor([3, 1]))
    mask = CachedRows.of(more, first).mask(more)
    assert not mask.bias_free
    assert mask.k_rank.tolist() == [[0, 1, 2, 3, 4], [0, PAD_RANK, PAD_RANK, 1, 2]]
    assert mask.dense[1, 0].tolist() == [[True, False, False, True, False], [True, False, False, True, True]]
    assert mask.span == 5


def test_a_decoding_step_over_an_unpadded_cache_needs_no_mask():
    llm = tiny_decoder()
    first = CachedRows.of(make_prompt(llm, [(3,)]).state)
    step = more_text(llm, torch.tensor([[1]]), torch.tensor([3]))
    assert CachedRows.of(step, first).mask(step).full


def test_sizes_count_only_where_asked_and_where_one_is_above_1():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    assert CachedRows.of(state).mask(state, size_bias=True).bias_free
    merged = state.replace(size=state.size.index_fill(1, torch.tensor([4]), 3.0))
    assert CachedRows.of(merged).mask(merged).bias_free
    assert torch.equal(CachedRows.of(merged).mask(merged, size_bias=True).k_size, merged.size)


def test_chosen_rows_are_found_by_position_and_text_is_always_among_them():
    """A layer that has merged some of the rows reads what is left of the chosen ones."""
    state = make_prompt(tiny_decoder(), SAMPLES[:2]).state
    merged = state.select(~state.mergeable | (state.pos % 2 == 0))
    rows, fewer = CachedRows.of(state), CachedRows.of(merged)
    chosen = (state.pos % 3 == 0) & state.visual
    assert torch.equal(rows.find(rows, chosen), rows.valid & (~rows.visual | (state.pos % 3 == 0)))
    assert torch.equal(fewer.find(rows, chosen), fewer.valid & (~fewer.visual | (merged.pos % 3 == 0)))
    taken = fewer.take(Packing.of(fewer.find(rows, chosen), fewer.valid))
    for b in range(2):
        seen = fewer.find(rows, chosen)[b]
        assert torch.equal(taken.pos[b][taken.valid[b]], fewer.pos[b][seen])


def test_a_chosen_row_at_position_0_is_found():
    state = make_prompt(tiny_decoder(), [([(2, 2)] * 2, 3)]).state
    rows = CachedRows.of(state)
    assert bool(rows.visual[0, 0])
    assert bool(rows.find(rows, rows.pos == 0)[0, 0])
