"""``HFDecoder(size_bias=True)``: a merged row draws the attention of its members."""

import pytest
import torch

from elva.models.attention import AttnMask
from elva.models.llms import HFDecoder, KVCache
from elva.models.mergers import HierarchicalTemporalMerger
from elva.structures import SourceMap
from elva.testing import make_prompt, tiny_decoder
from elva.testing.builders import SHAPES, more_text
from elva.testing.case import SAMPLES, run
from tests.test_models.test_attention.test_view import look

KERNELS = ["sdpa", "eager", "flex", "auto"]
MERGER = HierarchicalTemporalMerger(layers=(1, 2))


def decoder(attention: str = "sdpa", frame_mask: str = "causal", size_bias: bool = True, depth: int = 4) -> HFDecoder:
    """The weights of ``tiny_decoder``."""
    config = {**SHAPES, "model_type": "qwen2", "num_hidden_layers": depth}
    llm = HFDecoder(config=config, attention=attention, frame_mask=frame_mask, size_bias=size_bias).eval()
    llm.load_state_dict(tiny_decoder(depth).state_dict())
    return llm.requires_grad_(False)


@pytest.mark.parametrize("attention", KERNELS)
@pytest.mark.parametrize("frame_mask", ["causal", "bidirectional"])
def test_a_merged_row_equals_equal_rows_at_one_position(attention, frame_mask):
    """Rows 4 and 7, three times each, of one position and rank, and once with size 3."""
    llm = decoder(attention, frame_mask)
    state = make_prompt(llm, [(3, [(2, 2)] * 2, 3)]).state
    counts = torch.ones(state.h.shape[1], dtype=torch.long)
    counts[[4, 7]] = 3
    merged = state.replace(size=counts[None].float())
    rows = torch.arange(len(counts)).repeat_interleave(counts)
    names = ("h", "pos", "rank", "frame", "slot", "cell", "kind", "valid")
    fields = {name: getattr(state, name)[:, rows] for name in names}
    ones = fields["valid"].float()
    copies = state.replace(**fields, size=ones, src=SourceMap.identity(fields["valid"]), rising=False)
    expected, got = run(llm, copies, None)[0].h, run(llm, merged, None)[0].h
    firsts = counts.cumsum(0) - counts
    torch.testing.assert_close(got, expected[:, firsts], atol=1e-5, rtol=0)
    plain, _ = run(decoder(attention, frame_mask, size_bias=False), merged, None)
    assert (got - plain.h).abs().max() > 1e-3


@pytest.mark.parametrize("attention", KERNELS)
def test_with_all_sizes_1_the_numbers_are_unchanged(attention):
    biased, plain = decoder(attention), decoder(attention, size_bias=False)
    state = make_prompt(plain, SAMPLES).state
    assert torch.equal(run(biased, state, None)[0].h, run(plain, state, None)[0].h)


@pytest.mark.parametrize("merger", [None, MERGER], ids=["sizes 1", "merged"])
def test_a_causal_prefill_builds_no_mask_tensor(merger, monkeypatch):
    monkeypatch.setattr(AttnMask, "dense", property(lambda mask: pytest.fail("a mask tensor was built")))
    monkeypatch.setattr(AttnMask, "additive", lambda *args: pytest.fail("a mask tensor was built"))
    llm = decoder()
    _, trace = run(llm, make_prompt(llm, SAMPLES).state, merger)
    assert bool((trace.states[-1].size > 1).any()) == (merger is not None)


@pytest.mark.parametrize("attention", KERNELS)
@pytest.mark.parametrize("frame_mask", ["causal", "bidirectional"])
def test_cached_decoding_of_a_merged_prefill_equals_a_recompute(attention, frame_mask):
    """The recompute starts from the rows that the first merge left, which sits before the first layer."""
    llm = decoder(attention, frame_mask)
    state = make_prompt(llm, SAMPLES).state
    merged = state.fold(pairs(state))
    assert (merged.size > 1).any()
    ids = torch.randint(90, (len(SAMPLES), 3), generator=torch.Generator().manual_seed(5))
    start = state.lengths
    cache = KVCache.empty(llm.depth)
    with torch.no_grad():
        llm(merged, cache=cache)
        cache.next_pos = start
        steps = torch.cat([llm(more_text(llm, i, cache.next_pos), cache=cache).h for i in ids.split(1, 1)], 1)
        other = KVCache.empty(llm.depth)
        llm(merged, cache=other)
        loaded = KVCache.from_tensors(other.tensors())
        at_once = llm(more_text(llm, ids, start), cache=loaded).h
        whole = llm(joined(merged, more_text(llm, ids, start))).h
    for b in range(len(SAMPLES)):
        torch.testing.assert_close(steps[b], whole[b, -3:], atol=1e-5, rtol=0)
        torch.testing.assert_close(at_once[b], whole[b, -3:], atol=1e-5, rtol=0)


def pairs(state):
    """Each mergeable row with its successor, every third time."""
    rows = torch.arange(state.h.shape[1]).expand_as(state.pos)
    both = state.mergeable & state.mergeable.roll(1, 1) & (rows % 3 == 0)
    return torch.where(both, rows - 1, rows)


def joined(state, tail):
    """The rows of both; padding stays between them, hidden by its rank."""
    names = ("h", "pos", "rank", "size", "frame", "slot", "cell", "kind", "valid")
    fields = {name: torch.cat((getattr(state, name), getattr(tail, name)), 1) for name in names}
    return state.replace(**fields, src=SourceMap.identity(fields["valid"]), rising=False, padded=True)


@pytest.mark.parametrize("when", ["pre_attn", "post_attn"])
def test_the_view_of_a_merger_counts_sizes_too(when):
    """Also over a cached prefix: what it shows adds up with what the layer's attention does."""
    llm = decoder()
    state = make_prompt(llm, SAMPLES[:1]).state
    merged = state.fold(pairs(state))
    seen, (q, k, mask, scale) = look(llm, merged, when)
    assert mask.k_size is not None
    own = module_weights(q, k, mask, scale)
    torch.testing.assert_close(seen["rows"], own[:, :, [0, 2]])
    cache = KVCache.empty(llm.depth)
    with torch.no_grad():
        llm(merged, cache=cache)
    more = more_text(llm, torch.tensor([[1, 2, 3, 4]]), state.lengths)
    seen, (q, k, mask, scale) = look(llm, more, when, cache)
    torch.testing.assert_close(seen["last"], module_weights(q, k, mask, scale).mean(1)[:, -1, -4:])


def module_weights(q, k, mask, scale):
    """Softmax over the visible keys, each as often as its size says."""
    shares = (q @ k.repeat_interleave(q.shape[1] // k.shape[1], 1).transpose(2, 3) * scale).exp()
    shares = shares * mask.dense * mask.k_size[:, None, None]
    return shares / shares.sum(-1, keepdim=True)
