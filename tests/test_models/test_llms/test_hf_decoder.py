import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from elva.models.llms import HFDecoder, KVCache
from elva.models.mergers import HierarchicalTemporalMerger, Merger, NoMerge, ToMe
from elva.testing import make_prompt, tiny_decoder
from elva.testing.builders import SHAPES, VIDEO_ID, more_text, take_sample
from elva.testing.case import SAMPLES, run

TEXTS = ((7,), (2,), (12,), (5,))
FAMILIES = [("qwen2", None), ("qwen3", None), ("llama", None), ("mistral", None), ("mistral", 5)]


def reference_of(llm: HFDecoder):
    """The same weights in transformers' own model."""
    config = llm.model.config.__class__.from_dict(llm.model.config.to_dict())
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()
    model.load_state_dict(llm.model.state_dict())
    return model


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(("family", "window"), FAMILIES)
def test_text_alone_has_the_logits_of_transformers(family, window, attention):
    llm = tiny_decoder(family=family, window=window, attention=attention)
    model = reference_of(llm)
    prompt = make_prompt(llm, TEXTS)
    with torch.no_grad():
        got = llm.logits(llm(prompt.state).h)
        for b, (length,) in enumerate(TEXTS):
            expected = model(prompt.ids[b : b + 1, :length]).logits[0]
            torch.testing.assert_close(got[b, :length], expected, atol=1e-5, rtol=0)


def test_a_window_changes_the_logits():
    """Otherwise the comparison above would say nothing about windows."""
    wide, narrow = (tiny_decoder(family="mistral", window=window) for window in (None, 5))
    state = make_prompt(wide, [(12,)]).state
    assert (run(wide, state, None)[0].h - run(narrow, state, None)[0].h).abs().max() > 0.01


@pytest.mark.parametrize("merger", [None, HierarchicalTemporalMerger(layers=(1, 2))])
def test_under_a_window_cached_decoding_of_a_ragged_batch_equals_a_recompute(merger):
    """Few rows are left, but the window counts positions: it bites all the same, and always in the same place."""
    llm = tiny_decoder(family="mistral", window=24)
    state = make_prompt(llm, SAMPLES).state
    ids = torch.arange(4 * 6).view(4, 6)
    cache = KVCache.empty(llm.depth)
    with torch.no_grad():
        llm(state, merger, cache)
        one_by_one = torch.cat([llm(more_text(llm, i, cache.next_pos), cache=cache).h for i in ids.split(1, 1)], 1)
        cache = KVCache.empty(llm.depth)
        llm(state, merger, cache)
        at_once = llm(more_text(llm, ids, cache.next_pos), cache=cache).h
        for b in range(len(SAMPLES)):
            cache = KVCache.empty(llm.depth)
            llm(take_sample(state, b), merger, cache)
            alone = llm(more_text(llm, ids[b : b + 1], cache.next_pos), cache=cache).h[0]
            torch.testing.assert_close(at_once[b], alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(one_by_one, at_once, atol=1e-5, rtol=0)
    assert one_by_one.isfinite().all()


@pytest.mark.parametrize("when", ["pre_attn", "post_attn", "post_layer"])
def test_a_merger_is_called_at_its_sites_in_order(when):
    calls = []

    class Spy(Merger):
        def sites(self, depth):
            return [(depth - 1, when), (0, when)]

        def forward(self, state, site, attn=None):
            calls.append((site.layer, site.when, attn is not None))
            return state

    llm = tiny_decoder()
    state = make_prompt(llm, SAMPLES).state
    out, _ = run(llm, state, Spy())
    assert calls == [(0, when, True), (3, when, True)]
    assert torch.equal(out.h, run(llm, state, None)[0].h)


def test_a_merger_after_attention_spares_the_mlp_and_one_after_the_layer_does_not():
    class Half(Merger):
        def __init__(self, when):
            super().__init__()
            self.when = when

        def sites(self, depth):
            return [(1, self.when)]

        def forward(self, state, site, attn=None):
            return state.select(~state.mergeable | (state.pos % 2 == 0))

    llm = tiny_decoder()
    state = make_prompt(llm, SAMPLES[:1]).state
    seen = []
    parts = (llm.layers[1].self_attn.q_proj, llm.layers[1].mlp, llm.layers[2].mlp)
    hooks = [part.register_forward_hook(lambda m, i, o: seen.append(o.shape[1] == state.h.shape[1])) for part in parts]
    widths = {}
    for when in ("pre_attn", "post_attn", "post_layer"):
        run(llm, state, Half(when))
        widths[when] = list(seen)
        seen.clear()
    for hook in hooks:
        hook.remove()
    assert widths == {
        "pre_attn": [False, False, False],
        "post_attn": [True, False, False],
        "post_layer": [True, True, False],
    }


@pytest.mark.parametrize("site", [(4, "pre_attn"), (-1, "pre_attn"), (1, "before")])
def test_a_site_that_would_never_be_reached_is_refused(site):
    class Lost(NoMerge):
        def sites(self, depth):
            return [site]

    llm = tiny_decoder()
    with pytest.raises(ValueError, match=r"Lost.sites gave \(-?\d, .*a layer from 0 to 3"):
        run(llm, make_prompt(llm, TEXTS).state, Lost())


def test_two_sites_in_one_layer():
    """What stands after the layer does not look at rows that merged away after the attention."""

    class Twice(ToMe):
        def sites(self, depth):
            return [(1, "post_attn"), (1, "post_layer")]

    llm = tiny_decoder()
    state = make_prompt(llm, SAMPLES).state
    out, trace = run(llm, state, Twice(ratio=0.25))
    assert (trace.rows[2] < trace.rows[1])[:2].all()
    assert out.h[out.valid].isfinite().all()


def test_a_chunk_of_video_behind_a_cached_chunk_is_merged_too():
    """Both mergers see the new rows alone; the cache holds what is left of each chunk."""
    llm = tiny_decoder()
    for merger in (HierarchicalTemporalMerger(layers=(1, 2)), ToMe(layers=(1, 2))):
        cache = KVCache.empty(llm.depth)
        first = make_prompt(llm, [(2, [(2, 2)] * 4)]).state
        with torch.no_grad():
            llm(first, merger, cache)
            lengths = [layer.length for layer in cache.layers]
            second = make_prompt(llm, [([(2, 2)] * 4, 3)], seed=1, start_B=cache.next_pos).state
            out = llm(second, merger, cache)
        assert out.h.isfinite().all()
        assert [layer.length - n for layer, n in zip(cache.layers, lengths, strict=True)][3] < second.h.shape[1]
        assert int(cache.next_pos) == first.h.shape[1] + second.h.shape[1]


def test_masks_and_rotations_are_made_once_a_stretch(monkeypatch):
    llm = tiny_decoder(frame_mask="bidirectional")
    calls = []
    hook = llm.model.model.rotary_emb.register_forward_hook(lambda *args: calls.append(1))
    state = make_prompt(llm, SAMPLES).state
    run(llm, state, None)
    assert len(calls) == 1
    run(llm, state, HierarchicalTemporalMerger(layers=(1, 3)))
    hook.remove()
    assert len(calls) == 1 + 3


def test_gradient_checkpointing_gives_the_same_gradients():
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        llm = HFDecoder(config={**SHAPES, "model_type": "qwen2", "num_hidden_layers": 4})
        llm.gradient_checkpointing = checkpointing
        llm.train()
        state = make_prompt(llm, SAMPLES).state
        out = llm(state, ToMe(layers=(1, 2)))
        llm.logits(out.h[out.valid]).square().mean().backward()
        gradients.append({name: p.grad for name, p in llm.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)
        assert gradient.abs().sum() > 0, name


def test_gradient_checkpointing_keeps_fewer_activations():
    def kept(checkpointing):
        llm = HFDecoder(
            config={**SHAPES, "model_type": "qwen2", "num_hidden_layers": 4}, gradient_checkpointing=checkpointing
        ).train()
        sizes = []
        pack = lambda x: sizes.append(x.numel()) or x  # noqa: E731
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            llm(make_prompt(llm, SAMPLES).state)
        return sum(sizes)

    assert kept(True) < kept(False) / 3


def test_a_cache_is_filled_once_also_with_gradient_checkpointing():
    llm = HFDecoder(config={**SHAPES, "model_type": "qwen2", "num_hidden_layers": 2}, gradient_checkpointing=True)
    state = make_prompt(llm.train(), TEXTS).state
    cache = KVCache.empty(2)
    llm(state, cache=cache).h.sum().backward()
    assert [layer.length for layer in cache.layers] == [12, 12]


def test_frozen_means_that_nothing_is_trained_but_what_comes_before_is():
    llm = HFDecoder(config={**SHAPES, "model_type": "qwen2", "num_hidden_layers": 2}, frozen=True)
    assert not any(p.requires_grad for p in llm.parameters())
    llm.fit_vocabulary(120)
    assert not any(p.requires_grad for p in llm.parameters())
    state = make_prompt(llm, SAMPLES).state
    h = state.h.detach().requires_grad_()
    llm(state.replace(h=h)).h.square().sum().backward()
    assert h.grad[state.valid].abs().sum() > 0


@pytest.mark.parametrize("tied", [False, True])
def test_the_vocabulary_grows_and_old_tokens_keep_their_numbers(tied):
    config = {**SHAPES, "model_type": "qwen2", "num_hidden_layers": 2, "tie_word_embeddings": tied}
    llm = HFDecoder(config=config).eval()
    state = make_prompt(llm, TEXTS).state
    before = llm.logits(run(llm, state, None)[0].h)
    llm.fit_vocabulary(50)
    assert llm.model.config.vocab_size == 97
    llm.fit_vocabulary(103)
    after = llm.logits(run(llm, state, None)[0].h)
    assert after.shape[-1] == 103
    assert torch.equal(after[..., :97], before)
    assert llm.embed(torch.tensor([102])).isfinite().all()
    assert (llm.model.lm_head.weight is llm.model.model.embed_tokens.weight) == tied


def test_embedding_rms_is_that_of_the_table():
    llm = tiny_decoder()
    table = llm.model.model.embed_tokens.weight
    assert llm.embedding_rms() == pytest.approx(float(table.pow(2).mean().sqrt()))


def test_bfloat16_weights_give_bfloat16_states():
    llm = HFDecoder(config={**SHAPES, "model_type": "qwen2", "num_hidden_layers": 4}, dtype="bfloat16").eval()
    assert {p.dtype for p in llm.parameters()} == {torch.bfloat16}
    state = make_prompt(llm, SAMPLES).state
    out, _ = run(llm, state, HierarchicalTemporalMerger(layers=(1, 2)))
    assert out.h.dtype == torch.bfloat16
    assert out.h[out.valid].isfinite().all()
    exact = HFDecoder(config={**SHAPES, "model_type": "qwen2", "num_hidden_layers": 4}).eval()
    exact.load_state_dict(llm.state_dict())
    text = make_prompt(exact, TEXTS)
    a, b = run(exact, text.state, None)[0], run(llm, text.state.replace(h=text.state.h.bfloat16()), None)[0]
    torch.testing.assert_close(b.h[b.valid].float(), a.h[a.valid], atol=0.1, rtol=0.1)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_autocast_on_a_cpu_is_close_to_float32(attention):
    llm = tiny_decoder(attention=attention)
    state = make_prompt(llm, SAMPLES).state
    exact, _ = run(llm, state, None)
    cache = KVCache.empty(llm.depth)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        mixed = llm(state, cache=cache)
        step = llm(more_text(llm, torch.ones(4, 1, dtype=torch.long), cache.next_pos), cache=cache)
    torch.testing.assert_close(mixed.h[mixed.valid], exact.h[exact.valid], atol=0.15, rtol=0.1)
    assert step.h.isfinite().all()


def test_two_way_frames_change_visual_rows_and_leave_the_text_before_them():
    causal, two_way = (tiny_decoder(frame_mask=mask) for mask in ("causal", "bidirectional"))
    a, b = (run(llm, make_prompt(llm, SAMPLES[:1]).state, None)[0] for llm in (causal, two_way))
    assert torch.allclose(a.h[0, :3], b.h[0, :3], atol=1e-6)
    assert (a.h[0, 3] - b.h[0, 3]).abs().max() > 0.01


def test_wrong_settings_are_refused():
    config = {**SHAPES, "model_type": "qwen2", "num_hidden_layers": 2}
    with pytest.raises(ValueError, match="llm.dtype='bf16'"):
        HFDecoder(config=config, dtype="bf16")
    with pytest.raises(ValueError, match="llm.frame_mask='full'"):
        HFDecoder(config=config, frame_mask="full")
    with pytest.raises(ValueError, match="'spda' is not in the registry .*Nearest names: sdpa"):
        HFDecoder(config=config, attention="spda")


def test_the_placeholder_of_the_builders_is_no_text_id():
    assert make_prompt(tiny_decoder(), TEXTS).ids.max() < VIDEO_ID
    assert AutoConfig.for_model("qwen2").model_type == "qwen2"
