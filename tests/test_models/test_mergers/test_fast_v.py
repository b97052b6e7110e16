import pytest
import torch

from elva.models.llms import KVCache
from elva.models.mergers import FastV
from elva.structures import Kind
from elva.testing import make_prompt, tiny_decoder
from elva.testing.case import SAMPLES, run


def test_half_of_576_patches_are_left(bare_prompt):
    state = bare_prompt((24, 24))
    out, trace = run(tiny_decoder(), state, FastV())
    rows = [int(s.visual.sum()) for s in trace.states]
    assert rows == FastV().schedule(576, 4) == [576, 576, 288, 288]
    assert int((out.kind == Kind.TEXT).sum()) == 5
    assert out.pos[0, -2:].tolist() == [579, 580], "positions stay the original ones"


def test_the_published_share_of_operations():
    """Layers of LLaVA-1.5-7B with 576 visual rows, of which half go at layer 2 of 32."""
    d, m = 4096, 11008

    def cost(n):
        return 4 * n * d**2 + 2 * n**2 * d + 2 * n * d * m

    share = sum(map(cost, FastV().schedule(576, 32))) / (32 * cost(576))
    assert round(share, 4) == 0.5244


@pytest.mark.parametrize("layer", [1, 3])
def test_those_stay_that_the_last_row_of_the_layer_before_attends_to(layer, dense_attention):
    llm = tiny_decoder()
    state = make_prompt(llm, SAMPLES[:1]).state
    score = dense_attention(llm, state)[layer - 1][-1]
    ranked = [row for row in score.argsort(descending=True).tolist() if state.kind[0, row] in (Kind.PATCH, Kind.LINE)]
    visual = int(state.visual.sum())
    frames = int((state.kind == Kind.FRAME).sum())
    merger = FastV(layer, ratio=0.6)
    out, trace = run(llm, state, merger)
    left = merger.schedule(visual, 4)[-1]
    assert left == -(-visual * 4 // 10)
    kept = set(out.pos[0][(out.kind == Kind.PATCH)[0] | (out.kind == Kind.LINE)[0]].tolist())
    assert kept == set(ranked[: left - frames])
    assert [int(s.lengths) for s in trace.states[: layer + 1]] == [int(state.lengths)] * layer + [int(out.lengths)]


def test_the_cache_of_the_first_layers_is_longer():
    llm = tiny_decoder()
    state = make_prompt(llm, [(3, [(3, 3)] * 4, 2)]).state
    cache = KVCache.empty(4)
    with torch.no_grad():
        llm(state, FastV(), cache)
    assert [layer.length for layer in cache.layers] == [57, 57, 31, 31]


def test_text_alone_passes_and_a_video_without_a_question_does_not():
    llm = tiny_decoder()
    state = make_prompt(llm, [(4,), (2,)]).state
    assert run(llm, state, FastV())[0].lengths.tolist() == [4, 2]
    with pytest.raises(ValueError, match=r"samples \[0\] of this batch end with visual rows"):
        run(llm, make_prompt(llm, [(4, [(2, 2)]), (2,)]).state, FastV())


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="FastV: layer=0, but it ranks by the attention of the layer before it"):
        FastV(0)
    with pytest.raises(ValueError, match="FastV: ratio=1.0 .*give 0 to 0.99"):
        FastV(ratio=1.0)
    with pytest.raises(ValueError, match=r"FastV: acts at the layers \[2\], but the language model has only 2"):
        FastV().sites(2)
    assert FastV().sites(3) == [(1, "post_layer")]
