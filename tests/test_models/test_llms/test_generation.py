import pytest
import torch
from transformers import AutoModelForCausalLM

from elva.models.llms import HFDecoder, KVCache, Sampling, Trace, generate
from elva.models.llms.generation import _choose
from elva.models.mergers import HierarchicalTemporalMerger
from elva.testing import make_prompt, tiny_decoder
from elva.testing.builders import more_text, take_sample
from elva.testing.case import SAMPLES

MERGER = HierarchicalTemporalMerger(layers=(1, 2))
TEXTS = ((7,), (2,), (12,), (5,))


def reference_of(llm: HFDecoder):
    """The same weights in transformers' own model."""
    config = llm.model.config.__class__.from_dict(llm.model.config.to_dict())
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()
    model.load_state_dict(llm.model.state_dict())
    return model


@pytest.mark.parametrize(
    ("family", "window"), [("qwen2", None), ("qwen3", None), ("llama", None), ("mistral", None), ("mistral", 5)]
)
def test_greedy_text_is_that_of_transformers(family, window):
    """Our batch is padded on the right; transformers gets each sample alone."""
    llm = tiny_decoder(family=family, window=window)
    model = reference_of(llm)
    prompt = make_prompt(llm, TEXTS)
    answers = generate(llm, prompt.state, stop_ids=(), sampling=Sampling(max_new_tokens=12))
    for b, (length,) in enumerate(TEXTS):
        ids = prompt.ids[b : b + 1, :length]
        whole = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=12,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
        assert answers[b] == whole[0, length:].tolist()


def test_videos_of_different_lengths_answer_in_a_batch_as_alone():
    llm = tiny_decoder()
    state = make_prompt(llm, SAMPLES).state
    together = generate(llm, state, (), Sampling(max_new_tokens=8), MERGER)
    alone = [
        generate(llm, take_sample(state, b), (), Sampling(max_new_tokens=8), MERGER)[0] for b in range(len(SAMPLES))
    ]
    assert together == alone
    assert [len(answer) for answer in together] == [8] * 4


def test_an_answer_ends_before_its_stop_token():
    llm = tiny_decoder()
    state = make_prompt(llm, TEXTS).state
    free = generate(llm, state, (), Sampling(max_new_tokens=10))
    stop = free[0][3]
    stopped = generate(llm, state, (stop, 95), Sampling(max_new_tokens=10))
    for answer, long in zip(stopped, free, strict=True):
        ends = [i for i, token in enumerate(long) if token in (stop, 95)]
        assert answer == long[: ends[0]] if ends else long
    assert len(stopped[0]) <= 3


def test_generation_stops_when_every_answer_has_ended(monkeypatch):
    llm = tiny_decoder()
    state = make_prompt(llm, [(7,)]).state
    stop = generate(llm, state, (), Sampling(max_new_tokens=1))[0][0]
    steps = []
    forward = HFDecoder.forward
    monkeypatch.setattr(
        HFDecoder, "forward", lambda self, *args, **kwargs: steps.append(1) or forward(self, *args, **kwargs)
    )
    assert generate(llm, state, (stop,), Sampling(max_new_tokens=10)) == [[]]
    assert len(steps) == 1


def test_logits_are_computed_for_one_row_a_sample(monkeypatch):
    llm = tiny_decoder()
    shapes = []
    logits = HFDecoder.logits
    monkeypatch.setattr(HFDecoder, "logits", lambda self, h: shapes.append(tuple(h.shape)) or logits(self, h))
    generate(llm, make_prompt(llm, SAMPLES).state, (), Sampling(max_new_tokens=3), MERGER)
    assert shapes == [(4, 32)] * 3


def test_the_prefill_is_traced_and_decoding_is_not():
    llm, trace = tiny_decoder(), Trace()
    state = make_prompt(llm, SAMPLES).state
    generate(llm, state, (), Sampling(max_new_tokens=3), MERGER, trace=trace)
    assert len(trace.rows) == llm.depth
    assert torch.equal(trace.rows[0], state.lengths)


def test_many_questions_about_one_video():
    llm = tiny_decoder()
    prefix = make_prompt(llm, SAMPLES[:1]).state
    cache = KVCache.empty(llm.depth)
    llm(prefix, MERGER, cache)
    ids = torch.tensor([[5, 6, 7], [8, 9, 10]])
    fork = cache.fork(2)
    answers = generate(llm, more_text(llm, ids, fork.next_pos), (), Sampling(max_new_tokens=5), cache=fork)
    for question, answer in zip(ids, answers, strict=True):
        own = cache.fork(1)
        assert generate(llm, more_text(llm, question[None], own.next_pos), (), Sampling(5), cache=own) == [answer]
    assert answers[0] != answers[1]


def test_sampling_is_repeatable_and_the_seed_matters():
    llm = tiny_decoder()
    state = make_prompt(llm, TEXTS).state

    def draw(seed):
        return generate(llm, state, (), Sampling(max_new_tokens=8, temperature=1.0, seed=seed))

    assert draw(0) == draw(0)
    assert draw(0) != draw(1)
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    draw(0)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("sampling", [{"temperature": 1.0, "top_p": 1e-6}, {"temperature": 1e-4}])
def test_a_tiny_top_p_or_temperature_is_greedy(sampling):
    llm = tiny_decoder()
    state = make_prompt(llm, TEXTS).state
    greedy = generate(llm, state, (), Sampling(max_new_tokens=8))
    assert generate(llm, state, (), Sampling(max_new_tokens=8, **sampling)) == greedy


def test_top_p_keeps_the_smallest_set_that_reaches_it():
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log().expand(2000, -1)
    random = torch.Generator().manual_seed(0)

    def share(**settings):
        return torch.bincount(_choose(logits, Sampling(**settings), random), minlength=4) / 2000

    assert share(temperature=1.0, top_p=0.75).tolist()[2:] == [0, 0]
    torch.testing.assert_close(share(temperature=1.0, top_p=0.75)[0], torch.tensor(0.5 / 0.8), atol=0.04, rtol=0)
    assert (share(temperature=1.0, top_p=0.85) > 0).tolist() == [True, True, True, False]
    torch.testing.assert_close(share(temperature=1.0), torch.tensor([0.5, 0.3, 0.15, 0.05]), atol=0.04, rtol=0)
    flat = share(temperature=100.0)
    assert float(flat.min()) > 0.2


@pytest.mark.parametrize("wrong", [{"max_new_tokens": 0}, {"temperature": -0.1}, {"top_p": 0.0}, {"top_p": 1.1}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="generation: max_new_tokens="):
        Sampling(**wrong)
