import pytest
import torch

from elva.models.llms import KVCache
from elva.models.mergers import PyramidDrop
from elva.structures import Kind
from elva.testing import make_prompt, tiny_decoder
from elva.testing.builders import more_text
from elva.testing.case import SAMPLES, run


def test_the_published_stages(bare_prompt):
    llm = tiny_decoder(32)
    _, trace = run(llm, bare_prompt((24, 24), depth=32), PyramidDrop())
    rows = [int(s.visual.sum()) for s in trace.states]
    assert rows == PyramidDrop().schedule(576, 32) == [576] * 8 + [288] * 8 + [144] * 8 + [72] * 8
    assert sum(rows) / 32 == 270


def test_shares_are_of_the_original_rows_and_not_rounded_twice(bare_prompt):
    """Of 30 patches 30 %: 21, then 49 % of 30 are 15; 70 % of 21 are 14.7, so the two agree; at 35 % they do not."""
    merger = PyramidDrop((1, 2, 3), ratio=0.35)
    _, trace = run(tiny_decoder(), bare_prompt((5, 6)), merger)
    rows = [int(s.visual.sum()) for s in trace.states]
    assert rows == merger.schedule(30, 4) == [30, 20, 13, 9]  # 65 % of 13 rows would be 8.45, 0.65 ** 3 of 30 are 8.24


def test_those_stay_that_the_last_row_attends_to_in_the_layer_about_to_run(dense_attention):
    llm = tiny_decoder()
    state = make_prompt(llm, SAMPLES[:1]).state
    score = dense_attention(llm, state)[2][-1]
    ranked = [row for row in score.argsort(descending=True).tolist() if state.kind[0, row] in (Kind.PATCH, Kind.LINE)]
    merger = PyramidDrop((2,), ratio=0.5)
    out, _ = run(llm, state, merger)
    left = merger.schedule(int(state.visual.sum()), 4)[-1] - int((state.kind == Kind.FRAME).sum())
    kept = out.pos[0][(out.kind == Kind.PATCH)[0] | (out.kind == Kind.LINE)[0]]
    assert sorted(ranked[:left]) == kept.tolist()


def test_positions_stay_and_decoding_goes_on_from_the_original_length(bare_prompt):
    llm = tiny_decoder()
    cache = KVCache.empty(4)
    with torch.no_grad():
        out = llm(bare_prompt((4, 4)), PyramidDrop((1, 2, 3)), cache)
        assert cache.next_pos.tolist() == [21]
        assert out.pos[0, -2:].tolist() == [19, 20]
        assert [layer.length for layer in cache.layers] == [21, 13, 9, 7]
        llm(more_text(llm, torch.tensor([[7]]), cache.next_pos), cache=cache)
    assert [layer.length for layer in cache.layers] == [22, 14, 10, 8]


def test_a_second_pass_starts_afresh(bare_prompt):
    llm, merger = tiny_decoder(), PyramidDrop((1, 2))
    first, second = (run(llm, bare_prompt(grid), merger)[1].tokens_per_layer() for grid in ((4, 4), (2, 2)))
    assert first == [21, 13, 9, 9]
    assert second == [9, 7, 6, 6]


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"PyramidDrop: layers=\[3, 1\] must rise, and name at least one"):
        PyramidDrop((3, 1))
    with pytest.raises(ValueError, match="PyramidDrop: ratio=-0.1 .*give 0 to 0.99"):
        PyramidDrop(ratio=-0.1)
    with pytest.raises(ValueError, match=r"layers \[8, 16, 24\], but the language model has only 24"):
        PyramidDrop().sites(24)
    assert PyramidDrop((7, 14)).sites(28) == [(7, "pre_attn"), (14, "pre_attn")]
