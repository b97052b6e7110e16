import pytest
import torch

from elva.models.attention import AttnMask, attention_weights, view
from elva.models.llms import KVCache
from elva.models.mergers import Merger
from elva.testing import make_prompt, tiny_decoder
from elva.testing.builders import append_text, more_text
from elva.testing.case import SAMPLES

LAYER = 2


class Probe(Merger):
    """Asks the view for everything, and changes nothing."""

    def __init__(self, when: str) -> None:
        super().__init__()
        self.when = when
        self.answers: dict[str, torch.Tensor] = {}

    def sites(self, depth):
        return [(LAYER, self.when)]

    def forward(self, state, site, attn=None):
        index = torch.tensor([[0, 2]]).expand(len(state.h), -1)
        self.answers = {
            "state": state.h,
            "normed": attn.norm(state.h),
            "keys": attn.keys_BLD,
            "rows": attn.rows(index),
            "last": attn.last_row(),
            "columns": attn.column_mean(),
        }
        return state


def look(llm, state, when, cache=None):
    """What a probe sees, and the queries and keys that the layer's attention really used."""
    used = []
    attention = llm.attention

    def spy(q, k, v, mask, scale, dropout):
        used.append(
            (q, k, AttnMask(mask.q_rank, mask.k_rank, mask.k_valid, window=mask.window, k_size=mask.k_size), scale)
        )
        return attention(q, k, v, mask, scale, dropout)

    probe = Probe(when)
    llm.attention = spy
    try:
        with torch.no_grad():
            llm(state, probe, cache)
    finally:
        llm.attention = attention
    return probe.answers, used[LAYER]


@pytest.mark.parametrize("when", ["pre_attn", "post_attn", "post_layer"])
@pytest.mark.parametrize(
    ("family", "frame_mask"),
    [("qwen2", "causal"), ("qwen2", "bidirectional"), ("qwen3", "causal"), ("mistral", "causal")],
)
def test_a_view_shows_the_attention_of_its_layer(when, family, frame_mask):
    llm = tiny_decoder(4, family, frame_mask=frame_mask, window=6 if family == "mistral" else None)
    state = make_prompt(llm, SAMPLES).state
    seen, (q, k, mask, scale) = look(llm, state, when)
    weights = attention_weights(q, k, mask, scale)
    torch.testing.assert_close(seen["keys"], k.mean(1))
    torch.testing.assert_close(seen["rows"], weights[:, :, [0, 2]])
    samples, last = torch.arange(len(q)), state.lengths - 1
    torch.testing.assert_close(seen["last"], weights.mean(1)[samples, last])
    columns = (weights.mean(1) * state.valid[..., None]).sum(1) / state.lengths[:, None]
    torch.testing.assert_close(seen["columns"], columns)
    torch.testing.assert_close(seen["normed"], llm.layers[LAYER].input_layernorm(seen["state"]))


@pytest.mark.parametrize("when", ["pre_attn", "post_attn", "post_layer"])
def test_behind_a_cached_prefix_the_softmax_runs_over_the_prefix_too(when):
    llm = tiny_decoder(4)
    prefix = make_prompt(llm, SAMPLES[:1]).state
    text = torch.arange(5)
    whole, _ = look(llm, append_text(llm, prefix, text), when)
    cache = KVCache.empty(4)
    with torch.no_grad():
        llm(prefix, cache=cache)
    seen, _ = look(llm, more_text(llm, text[None], cache.next_pos), when, cache)
    torch.testing.assert_close(seen["keys"], whole["keys"][:, -5:], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(seen["last"], whole["last"][:, -5:], atol=1e-5, rtol=1e-5)
    assert cache.layers[LAYER].length == prefix.h.shape[1] + 5


def test_column_means_come_in_chunks_that_fit_memory(monkeypatch):
    llm = tiny_decoder(4)
    state = make_prompt(llm, SAMPLES).state
    at_once, _ = look(llm, state, "pre_attn")
    monkeypatch.setattr(view, "_SCORES", 4 * 4 * state.h.shape[1] * 3)
    asked = []
    rows = view.AttnView.rows
    monkeypatch.setattr(view.AttnView, "rows", lambda self, index: asked.append(index.shape[1]) or rows(self, index))
    in_chunks, _ = look(llm, state, "pre_attn")
    assert max(asked) == 3
    torch.testing.assert_close(in_chunks["columns"], at_once["columns"])


def test_nothing_is_projected_before_a_merger_asks(monkeypatch):
    llm = tiny_decoder(4)

    class Silent(Probe):
        def forward(self, state, site, attn=None):
            return state

    calls = []
    q_proj = llm.layers[LAYER].self_attn.q_proj
    handle = q_proj.register_forward_hook(lambda *args: calls.append(1))
    with torch.no_grad():
        llm(make_prompt(llm, SAMPLES).state, Silent("pre_attn"))
    handle.remove()
    assert len(calls) == 1
