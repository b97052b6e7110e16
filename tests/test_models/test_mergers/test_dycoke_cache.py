from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from elva.models.attention import AttnMask, attention_weights, sdpa
from elva.models.llms import KVCache, Sampling, generate
from elva.models.mergers import DyCokeCache, HierarchicalTemporalMerger
from elva.models.mergers.dycoke_cache import MovingFocus, most_attended
from elva.testing import make_prompt, tiny_decoder
from elva.testing.builders import more_text, take_sample
from elva.testing.case import SAMPLES

DEPTH = 6
STEPS = 6


@pytest.mark.parametrize(
    ("rows", "ratio", "read"), [(196, 0.7, 58), (10, 0.7, 3), (10, 0.9, 1), (9, 0.5, 4), (7, 1, 0)]
)
def test_the_share_that_is_read_is_rounded_down(rows, ratio, read):
    visual = torch.arange(rows + 4)[None] >= 4
    weights = torch.rand(1, rows + 4, generator=torch.Generator().manual_seed(0))
    chosen = most_attended(weights, visual, ratio)
    assert int(chosen.sum()) == read
    best = weights[0].masked_fill(~visual[0], -1).topk(read).indices
    assert set(chosen[0].nonzero().flatten().tolist()) == set(best.tolist())


def by_hand(weights, visual, ratio, threshold):
    """One sample, step after step, in lists."""
    answers, before, chosen = [], None, []
    for step in weights:
        now = [w if v else 0.0 for w, v in zip(step.tolist(), visual.tolist(), strict=False)]
        if before is not None:
            cosine = F.cosine_similarity(torch.tensor(now), torch.tensor(before), dim=0)
        if before is None or cosine < threshold:
            places = [i for i, v in enumerate(visual.tolist()) if v]
            count = int(len(places) * (1 - ratio) + 1e-6)
            chosen = sorted(sorted(places, key=lambda i: -now[i])[:count])
        before = now
        answers.append(chosen)
    return answers


def test_rows_are_chosen_anew_where_attention_moves_and_kept_otherwise():
    """A batch of samples of different lengths, each deciding for itself; the cache grows by a row a step."""
    random = torch.Generator().manual_seed(1)
    visual = torch.stack((torch.arange(20) % 3 > 0, (torch.arange(20) % 4 > 0) & (torch.arange(20) < 12)))
    drift = torch.tensor([0.05, 0.9, 0.05, 0.05, 0.9, 0.4, 0.4])
    weights, steps = torch.rand(2, 20, generator=random), []
    for step, share in enumerate(drift):
        weights = (1 - share) * weights + share * torch.rand(2, 20, generator=random)
        steps.append(torch.cat((weights, torch.rand(2, step + 1, generator=random)), 1))
    selector = MovingFocus(2, 0.7, 0.9)
    got = [selector.choose(w, F.pad(visual, (0, w.shape[1] - 20))) for w in steps]
    changes = 0
    for b in range(2):
        expected = by_hand([w[b] for w in steps], visual[b], 0.7, 0.9)
        assert [g[b].nonzero().flatten().tolist() for g in got] == expected
        changes += sum(x != y for x, y in pairwise(expected))
    assert 0 < changes < 2 * len(steps) - 2


class Watch:
    """In place of an attention kernel: notes what each layer of each step reads."""

    def __init__(self, llm, monkeypatch):
        self.calls = []
        monkeypatch.setattr(llm, "attention", self)

    def __call__(self, q, k, v, mask, scale, dropout):
        if q.shape[2] == 1:
            self.calls.append((k.shape[2], mask.k_valid.sum(1).tolist()))
        return sdpa(q, k, v, mask, scale, dropout)

    def steps(self):
        return [self.calls[i : i + DEPTH] for i in range(0, len(self.calls), DEPTH)]


def answer(llm, state, merger, steps=STEPS):
    return generate(llm, state, (), Sampling(max_new_tokens=steps), merger)


def test_later_layers_read_the_share_and_all_text(monkeypatch):
    llm = tiny_decoder(DEPTH)
    state = make_prompt(llm, SAMPLES).state
    visual = (state.visual & state.valid).sum(1)
    text = state.lengths - visual
    watch = Watch(llm, monkeypatch)
    answer(llm, state, DyCokeCache(layer=3, ratio=0.7))
    assert len(watch.steps()) == STEPS - 1
    for number, step in enumerate(watch.steps(), start=1):
        part = (text + number + (0.3 * visual + 1e-6).floor()).long().tolist()
        for layer, (rows, valid) in enumerate(step):
            assert valid == (part if layer >= 3 else (state.lengths + number).tolist())
            assert rows == (max(part) if layer >= 3 else state.h.shape[1] + number)


def masked_instead(monkeypatch, llm, state, merger):
    """The same by hiding rows from the later layers, in a loop that reads the whole cache."""
    selector, hidden, layer = merger.cache_selector(), {}, 0
    visual = state.visual & state.valid

    def attention(q, k, v, mask, scale, dropout):
        nonlocal layer
        here, layer = layer % DEPTH, layer + 1
        if q.shape[2] > 1:
            return sdpa(q, k, v, mask, scale, dropout)
        seen = F.pad(visual, (0, k.shape[2] - visual.shape[1]))
        if here == selector.layer:
            weights = attention_weights(q, k, mask, scale).mean(1)[:, 0]
            hidden["now"] = seen & ~selector.choose(weights, seen)
        if here > selector.layer:
            mask = AttnMask(mask.q_rank, mask.k_rank, mask.k_valid & ~hidden["now"])
        return sdpa(q, k, v, mask, scale, dropout)

    monkeypatch.setattr(llm, "attention", attention)
    monkeypatch.setattr(merger, "cache_selector", lambda: None)


@pytest.mark.parametrize("threshold", [0.9, 0.99999])
def test_reading_some_rows_is_hiding_the_others(monkeypatch, threshold):
    llm = tiny_decoder(DEPTH)
    state = make_prompt(llm, SAMPLES).state
    merger = DyCokeCache(layer=3, ratio=0.7, threshold=threshold)

    def states():
        kept, forward = [], llm.forward
        with monkeypatch.context() as patch:
            patch.setattr(llm, "forward", lambda *a, **k: (kept.append(forward(*a, **k)), kept[-1])[1])
            tokens = answer(llm, state, merger)
        return tokens, torch.cat([out.h for out in kept[1:]], 1)

    tokens, h = states()
    with monkeypatch.context() as patch:
        masked_instead(patch, llm, state, merger)
        again, expected = states()
    assert tokens == again
    torch.testing.assert_close(h, expected, atol=1e-5, rtol=0)
    assert torch.cat([torch.tensor(t) for t in tokens]).numel() == STEPS * len(SAMPLES)


def test_nothing_is_deleted():
    llm, state = tiny_decoder(DEPTH), make_prompt(tiny_decoder(DEPTH), SAMPLES).state
    cache = KVCache.empty(DEPTH)
    generate(llm, state, (), Sampling(max_new_tokens=STEPS), DyCokeCache(), cache)
    assert {layer.length for layer in cache.layers} == {state.h.shape[1] + STEPS - 1}
    assert len({id(layer.rows) for layer in cache.layers}) <= 2


def test_ratio_0_is_exactly_no_selection():
    llm = tiny_decoder(DEPTH)
    state = make_prompt(llm, SAMPLES).state
    assert DyCokeCache(ratio=0.0).cache_selector() is None
    assert answer(llm, state, DyCokeCache(ratio=0.0)) == answer(llm, state, None)


@pytest.mark.parametrize("prefill", [None, (1, 2), (4, 5), (1, 4)])
def test_samples_of_a_batch_do_not_matter_to_each_other_whatever_the_prefill_merges(prefill):
    llm = tiny_decoder(DEPTH)
    merging = {"type": "HierarchicalTemporalMerger", "layers": prefill} if prefill else None
    merger = DyCokeCache(layer=3, ratio=0.5, prefill=merging)
    state = make_prompt(llm, SAMPLES).state
    alone = [answer(llm, take_sample(state, b), merger)[0] for b in range(len(SAMPLES))]
    assert answer(llm, state, merger) == alone


def test_behind_the_layer_a_merged_row_is_read_if_its_position_was_chosen(monkeypatch):
    llm = tiny_decoder(DEPTH)
    state = make_prompt(llm, SAMPLES[:1]).state
    watch = Watch(llm, monkeypatch)
    answer(llm, state, DyCokeCache(prefill={"type": "HierarchicalTemporalMerger", "layers": [3, 4]}), steps=2)
    (step,) = watch.steps()
    rows = [count for count, _ in step]
    assert rows[0] == rows[2] > rows[3] >= rows[4] == rows[5]
    assert rows[4] > int((state.kind == 1).sum())  # text and something more


def test_the_prefill_is_that_of_its_merger():
    merger = DyCokeCache(prefill={"type": "HierarchicalTemporalMerger", "layers": [1, 2]})
    inner = HierarchicalTemporalMerger(layers=(1, 2))
    assert list(merger.sites(DEPTH)) == list(inner.sites(DEPTH))
    assert merger.schedule(100, DEPTH) == inner.schedule(100, DEPTH)
    assert merger.needs_grid == inner.needs_grid
    assert DyCokeCache().schedule(100, DEPTH) == [100] * DEPTH


def test_each_answer_has_a_selector_of_its_own():
    merger = DyCokeCache()
    assert merger.cache_selector() is not merger.cache_selector()


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="DyCokeCache: ratio=1.2"):
        DyCokeCache(ratio=1.2)
    with pytest.raises(ValueError, match="DyCokeCache: layer=0, but it ranks by the attention of the layer before it"):
        DyCokeCache(layer=0)
    with pytest.raises(ValueError, match=r"DyCokeCache: acts at the layers \[6\], but the language model has only 6"):
        DyCokeCache(layer=6).sites(DEPTH)


def test_a_selector_is_for_single_new_rows():
    llm = tiny_decoder(DEPTH)
    rows = more_text(llm, torch.tensor([[1, 2]]), torch.tensor([0]))
    with pytest.raises(ValueError, match="one new row at a time"):
        llm(rows, cache=KVCache.empty(DEPTH), selector=DyCokeCache().cache_selector())
