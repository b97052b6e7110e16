"""Legend: C channels, V vocabulary."""

import pytest
import torch

from elva.apis.inferencer import VideoInferencer
from elva.apis.question_item import question_item
from elva.apis.scoring import reply_ids, score_replies
from elva.datasets.collate import collate_samples
from elva.datasets.transforms import TokenizeConversation
from elva.models.llms import KVCache, Sampling, assemble, generate
from elva.utils.text_tokenizer import stop_ids
from tests.test_tools.tiny_recipe import make_data, random_checkpoint, stage


@pytest.fixture(scope="module")
def inferencer(tmp_path_factory):
    root = tmp_path_factory.mktemp("scoring")
    make_data(root, clips=1)
    config = stage("elva_tiny_stage3", root)
    options = {"optim_wrapper": None, "model.merger.tau": -1.0}
    return VideoInferencer(
        config, random_checkpoint(config, root / "w.pth", scale=3), device="cpu", cfg_options=options
    ), root


@pytest.fixture
def prompt(inferencer):
    model, root = inferencer
    item = question_item(root / "data/videos/test/000000.mp4", "Which way does the red circle move?")
    return item, model


def naive(model, inputs, reply):
    """One id after the other, as an answer is generated: (log-probability, whether each was the likeliest)."""
    llm, cache, total, greedy = model.llm, KVCache.empty(model.llm.depth), 0.0, True
    state = llm(model.assemble(inputs)[0].state, model.merger, cache)
    h_C = state.h[0, -1]
    for i in reply:
        log_V = llm.logits(h_C).log_softmax(-1)
        total, greedy = total + float(log_V[i]), greedy and int(log_V.argmax()) == i
        one = torch.tensor([[i]])
        h_C = llm(assemble(llm.embed, one, one >= 0, None, -1, start_B=cache.next_pos).state, cache=cache).h[0, 0]
    return total, greedy


def inputs_of(item, model):
    for transform in model.transforms:
        item = transform(item)
    return model.model.data_preprocessor(collate_samples([item]))["inputs"]


@torch.no_grad()
def test_replies_of_any_length_score_as_if_generated_one_by_one(prompt):
    inputs, model = inputs_of(*prompt), prompt[1].model
    replies = [[5], [9, 8, 7, 6, 5, 4, 3], [12, 5], [5, 5, 5, 5]]
    scores = score_replies(model, inputs, replies)
    for score, reply in zip(scores, replies, strict=True):
        total, greedy = naive(model, inputs, reply)
        assert score.log_probability == pytest.approx(total, rel=1e-4)
        assert (score.tokens, score.greedy) == (len(reply), greedy)


def test_the_answer_that_the_model_gives_is_the_greedy_one(prompt):
    inputs, model = inputs_of(*prompt), prompt[1].model
    state = model.assemble(inputs)[0].state
    answer = generate(model.llm, state, (), Sampling(max_new_tokens=4), model.merger)[0]
    scores = score_replies(model, inputs, [answer, answer[:2], [*answer[:3], answer[3] + 1]])
    assert [score.greedy for score in scores] == [True, True, False]


def test_a_models_replies_are_scored_with_what_ends_them(prompt):
    item, model = prompt
    one, two = model.score(item, ["red", "red circle"])
    tokenize = next(step for step in model.transforms if isinstance(step, TokenizeConversation))
    assert (one.tokens, two.tokens) == (len(reply_ids(tokenize, "red")), len(reply_ids(tokenize, "red circle")))
    assert score_replies(model.model, inputs_of(item, model), [reply_ids(tokenize, "red")])[0].log_probability == (
        pytest.approx(one.log_probability, rel=1e-4)
    )


def test_the_prefill_of_the_test_merges(inferencer):
    model, root = inferencer
    sample = next(model.answer([question_item(root / "data/videos/test/000000.mp4", "Why?")]))
    rows = sample.stats["tokens_per_layer"]
    assert rows[-1] < rows[0]


@pytest.mark.parametrize("template", ["chat", "plain"])
def test_a_reply_has_the_ids_that_are_learned_in_training(inferencer, template):
    model, _ = inferencer
    path = model.model.text_tokenizer_path
    turns = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "red circle"}]
    tokenize = TokenizeConversation(path, template=template)
    labels = tokenize.transform({"id": "0", "conversations": turns})["labels"]
    ids = reply_ids(tokenize, "red circle")
    assert ids == labels[labels >= 0].tolist()
    assert ids[-1] in stop_ids(model.model.text_tokenizer)


def test_a_pipeline_that_tokenizes_otherwise_cannot_be_scored(prompt):
    item, model = prompt
    kept = model.transforms
    model.transforms = [step for step in kept if not isinstance(step, TokenizeConversation)]
    try:
        with pytest.raises(ValueError, match="no TokenizeConversation"):
            model.score(item, ["red"])
    finally:
        model.transforms = kept
