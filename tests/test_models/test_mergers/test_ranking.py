import pytest
import torch

from elva.models.llms import assemble
from elva.models.mergers.base import check_layers
from elva.models.mergers.ranking import droppable, keep_best, question_attention, rows_by_layer
from elva.structures import ASKS, Kind
from elva.testing import make_prompt, tiny_decoder
from elva.testing.builders import VIDEO_ID
from elva.testing.case import SAMPLES
from elva.testing.merger_numbers import lone_view


def visual(state):
    return (state.visual & state.valid).sum(1)


def weights(state):
    """(B, L, L) attention of every row over every row, mean over heads, written out."""
    q, k, _, scale = lone_view(state).project()
    seen = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool).tril() & state.valid[:, None, None]
    return ((q @ k.transpose(2, 3)) * scale).masked_fill(~seen, float("-inf")).softmax(-1).mean(1)


def test_patches_and_lines_may_go_with_or_without_a_place():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    expected = (state.kind == Kind.PATCH) | (state.kind == Kind.LINE)
    assert torch.equal(droppable(state), expected)
    assert torch.equal(droppable(state.replace(slot=torch.full_like(state.slot, -1))), expected)


def test_the_best_stay_and_the_earlier_wins_a_tie():
    state = make_prompt(tiny_decoder(), [(2, [(1, 2)] * 2, 1)]).state  # t t F p p n F p p n t
    score = torch.tensor([[9, 9, 0, 3, 1, 2, 0, 2, 2, 0, 9]]).float()
    stays = {target: keep_best(state, score, torch.tensor([target]))[0].nonzero().flatten() for target in range(9)}
    assert stays[8].tolist() == list(range(11))
    assert stays[6].tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 10]
    assert stays[4].tolist() == [0, 1, 2, 3, 5, 6, 10]
    for few in (0, 1, 2):
        assert stays[few].tolist() == [0, 1, 2, 6, 10], "FRAME rows count, and stay whatever the target"


def test_protected_rows_count_too():
    state = make_prompt(tiny_decoder(), [(2, [(1, 2)] * 2, 1)]).state
    score = torch.tensor([[9, 9, 0, 3, 1, 2, 0, 2, 2, 0, 9]]).float()
    protected = torch.zeros_like(state.valid)
    protected[0, 9] = True
    assert keep_best(state, score, torch.tensor([4]), protected)[0].nonzero().flatten().tolist() == [
        0,
        1,
        2,
        3,
        6,
        9,
        10,
    ]


def test_every_sample_has_its_own_count():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    target = (visual(state) * 0.5).ceil().long()
    score = torch.rand(state.kind.shape, generator=torch.Generator().manual_seed(0))
    kept = state.select(keep_best(state, score, target))
    assert torch.equal(visual(kept), target)


def test_the_question_is_the_last_text_row():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    last = state.lengths - 1
    got = question_attention("FastV", state, lone_view(state))
    torch.testing.assert_close(got, weights(state)[torch.arange(len(SAMPLES)), last])
    assert got.dtype == torch.float32
    assert not got.requires_grad


def test_in_training_it_is_the_row_that_the_answer_follows():
    llm = tiny_decoder()
    state = make_prompt(llm, [(2, [(1, 2)] * 2, 5), (1, [(2, 2)], 3, [(1, 1)], 2)]).state
    asks = torch.zeros_like(state.valid)
    asks[0, 11], asks[0, 13] = True, True  # two turns
    asks[1, 1 + 7] = True  # an answer between the videos; the second one's was cut off
    state = state.replace(memo={ASKS: asks})
    every = weights(state)
    expected = torch.stack(((every[0, 11] + every[0, 13]) / 2, every[1, int(state.lengths[1]) - 1]))
    torch.testing.assert_close(question_attention("FastV", state, lone_view(state)), expected)
    shorter = state.select(~(state.kind == Kind.LINE))
    expected = weights(shorter)[0, [9, 11]].mean(0)
    torch.testing.assert_close(question_attention("FastV", shorter, lone_view(shorter))[0], expected)


def test_answers_follow_the_last_row_of_each_question():
    llm = tiny_decoder()
    ids = torch.tensor([[1, VIDEO_ID, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 0, 0, 0, 0]])
    valid = torch.arange(8) < torch.tensor([[8], [4]])
    labels = torch.full((2, 8), -100)
    labels[0, 4:6], labels[0, 7] = 9, 9
    tokens = make_prompt(llm, [(1, [(1, 2)], 1)]).tokens
    assembly = assemble(llm.embed, ids, valid, tokens, VIDEO_ID)
    asks = assembly.asking(labels).memo[ASKS]
    assert asks.nonzero().tolist() == [[0, 6], [0, 9]]  # four visual rows stand for the placeholder


def test_without_text_behind_the_video_it_says_so():
    llm = tiny_decoder()
    state = make_prompt(llm, [(3, [(1, 2)], 2), (3, [(1, 2)]), ([(2, 2)],)]).state
    with pytest.raises(ValueError, match=r"FastV ranks .* samples \[1, 2\] of this batch end with visual rows"):
        question_attention("FastV", state, lone_view(state))
    with pytest.raises(ValueError, match="PyramidDrop ranks rows by attention: it needs a language model's view"):
        question_attention("PyramidDrop", state, None)


def test_layers_beyond_the_depth_are_named():
    check_layers("FastV", [2], 3)
    with pytest.raises(ValueError, match=r"FastV: acts at the layers \[1, 3\], but the language model has only 3"):
        check_layers("FastV", [1, 3], 3)


def test_each_layer_takes_its_share_of_what_the_last_one_left():
    assert rows_by_layer((1, 3), 0.5, 11, 5) == [11, 6, 6, 3, 3]
    assert rows_by_layer((0,), 0.0, 11, 2) == [11, 11]
