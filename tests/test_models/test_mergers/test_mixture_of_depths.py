import math

import pytest
import torch

from elva.models.llms import KVCache
from elva.models.mergers import MixtureOfDepths, Site
from elva.models.mergers.mixture_of_depths import best_of_each_frame, put_back
from elva.structures import Kind, SourceMap
from elva.testing import make_prompt, tiny_decoder
from elva.testing.builders import CHANNELS, take_sample
from elva.testing.case import SAMPLES, run
from elva.testing.wrappers import first_rows


def make(ratio=0.8, gated=False, layers=(1, 3), seed=0):
    torch.manual_seed(seed)
    return MixtureOfDepths(CHANNELS, layers, ratio, gated)


def rows_from(state, start):
    """The rows of one sample from ``start`` on, as a chunk of its own."""
    names = ("h", "pos", "rank", "size", "frame", "slot", "cell", "kind", "valid")
    fields = {name: getattr(state, name)[:, start:] for name in names}
    return state.replace(**fields, src=SourceMap.identity(fields["valid"]))


def test_the_best_of_each_frame_are_chosen_rounded_up():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    routed = (state.kind == Kind.PATCH) | (state.kind == Kind.LINE)
    score = torch.randn(state.kind.shape, generator=torch.Generator().manual_seed(0))
    for ratio in (0.0, 0.3, 0.8):
        got = best_of_each_frame(score, state.frame, routed, ratio)
        for b in range(len(SAMPLES)):
            expected = []
            for frame in range(int(state.frame[b].max()) + 1):
                own = [i for i in range(state.h.shape[1]) if routed[b, i] and state.frame[b, i] == frame]
                own.sort(key=lambda i: -float(score[b, i]))
                expected += own[: math.ceil((1 - ratio) * len(own) - 1e-9)]
            assert got[b].nonzero().squeeze(1).tolist() == sorted(expected)


def test_rows_that_span_frames_are_a_frame_of_their_own_and_the_earlier_wins_a_tie():
    frame = torch.tensor([[-1, -1, 7, 7, 7, 7, -1, -1]])
    routed = torch.tensor([[False, True, True, True, True, False, True, True]])
    chosen = best_of_each_frame(torch.zeros(1, 8), frame, routed, 0.6)
    assert chosen[0].nonzero().squeeze(1).tolist() == [1, 2, 3, 6]


def test_each_layer_caches_the_rows_that_ran_it():
    """Five frames of five rows, of which four skip the odd layers."""
    llm = tiny_decoder()
    state = make_prompt(llm, [(3, [(1, 4)] * 5, 4)]).state
    cache = KVCache.empty(4)
    with torch.no_grad():
        out = llm(state, make(), cache)
    assert [layer.length for layer in cache.layers] == [37, 17, 37, 17]
    assert out.lengths.tolist() == [37]
    assert torch.equal(out.pos, state.pos)
    assert torch.equal(out.src.dst, state.src.dst)


def test_a_routed_layer_is_the_dense_layer_on_the_chosen_rows_and_the_others_skip_it():
    llm, merger = tiny_decoder(1), make(layers=(0,))
    state = make_prompt(llm, SAMPLES[:1]).state
    score = state.h @ merger.router[0]
    routed = (state.kind == Kind.PATCH) | (state.kind == Kind.LINE)
    chosen = best_of_each_frame(score, state.frame, routed, 0.8)
    alone, _ = run(llm, state.select(chosen | ~routed), None)
    got, _ = run(llm, state, merger)
    torch.testing.assert_close(got.h[0, (chosen | ~routed)[0]], alone.h[0])
    skipped = llm.model.model.norm(state.h)[0, (routed & ~chosen)[0]]
    torch.testing.assert_close(got.h[0, (routed & ~chosen)[0]], skipped)


def test_the_gate_moves_visual_rows_by_the_score_and_leaves_text_as_it_is():
    llm = tiny_decoder()
    state = make_prompt(llm, SAMPLES).state
    merger = make(ratio=0.5, gated=True)
    entered = merger(state, Site(1, "pre_attn"))
    left = merger(entered.replace(h=entered.h + 1.0), Site(1, "post_layer"))
    mu = state.h @ merger.router[0]
    routed = (state.kind == Kind.PATCH) | (state.kind == Kind.LINE)
    chosen = best_of_each_frame(mu, state.frame, routed, 0.5)
    step = torch.where(chosen, mu, 0.0) + (state.valid & ~routed)
    expected = state.h + step[..., None]
    torch.testing.assert_close(left.h[state.valid], expected[state.valid], atol=1e-5, rtol=0)
    assert "MixtureOfDepths" not in left.memo


def test_every_row_runs_at_ratio_zero_and_the_gate_still_works():
    llm = tiny_decoder()
    state = make_prompt(llm, SAMPLES).state
    dense, _ = run(llm, state, None)
    assert torch.equal(run(llm, state, make(ratio=0.0))[0].h[state.valid], dense.h[state.valid])
    one = make(ratio=0.0, gated=True)
    torch.nn.init.zeros_(one.router)  # a gate of 0: visual rows never move in the odd layers
    out, trace = run(llm, state, one)
    routed = (state.kind == Kind.PATCH) | (state.kind == Kind.LINE)
    assert trace.tokens_per_layer() == [float(state.lengths.float().mean())] * 4
    assert torch.equal(trace.states[2].h[routed], trace.states[1].h[routed])
    assert not torch.equal(out.h[routed], dense.h[routed])


def test_a_video_that_comes_in_chunks_of_whole_frames_gives_the_same():
    llm, merger = tiny_decoder(), make(gated=True)
    state = make_prompt(llm, [(3, [(2, 2)] * 6, 4)]).state
    whole, _ = run(llm, state, merger)
    cut = 3 + 3 * 7
    cache = KVCache.empty(4)
    with torch.no_grad():
        parts = [llm(part, merger, cache).h for part in (first_rows(state, cut), rows_from(state, cut))]
    torch.testing.assert_close(torch.cat(parts, 1), whole.h, atol=1e-5, rtol=0)


def test_the_gradient_reaches_every_router_and_none_without_a_gate():
    llm = tiny_decoder()
    state = make_prompt(llm, SAMPLES).state
    gated = make(gated=True)
    llm(state, gated).h[state.valid].square().sum().backward()
    assert (gated.router.grad.abs().amax(1) > 0).all()
    assert not make().router.requires_grad


def test_a_sample_alone_is_routed_as_in_a_batch():
    llm, merger = tiny_decoder(), make(gated=True)
    state = make_prompt(llm, SAMPLES).state
    batch, _ = run(llm, state, merger)
    for b in range(len(SAMPLES)):
        alone, _ = run(llm, take_sample(state, b), merger)
        torch.testing.assert_close(batch.h[b][batch.valid[b]], alone.h[0], atol=1e-5, rtol=0)


def test_without_a_layer_before_it_the_end_of_a_layer_changes_nothing():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    assert make(gated=True)(state, Site(1, "post_layer")) is state


def test_rows_come_back_in_their_order():
    runs = torch.tensor([[True, False, True, True], [False, True, False, False]])
    few = torch.tensor([[[10.0], [12.0], [13.0]], [[21.0], [0.0], [0.0]]])
    everything = torch.arange(8.0).view(2, 4, 1)
    assert put_back(few, everything, runs)[..., 0].tolist() == [[10, 1, 12, 13], [4, 21, 6, 7]]


def test_visual_compute_of_the_published_setting():
    rows = MixtureOfDepths(CHANNELS).schedule(1000, 28)
    assert rows == [1000, 200] * 14
    assert sum(rows) / (28 * 1000) == 0.6


def test_settings_out_of_range_are_refused():
    for layers in ((), (1, 1)):
        with pytest.raises(ValueError, match="must name at least one, and none twice"):
            make(layers=layers)
    with pytest.raises(ValueError, match="MixtureOfDepths: ratio=1.0 .*give 0 to 0.99"):
        make(ratio=1.0)
    with pytest.raises(ValueError, match=r"layers \[1, 3\], but the language model has only 3"):
        make().sites(3)
    assert make().sites(4) == [(1, "pre_attn"), (1, "post_layer"), (3, "pre_attn"), (3, "post_layer")]
