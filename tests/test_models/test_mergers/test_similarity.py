import pytest
import torch

from elva.models.mergers.similarity import (
    check_ratio,
    metric,
    most_similar,
    original_visual_rows,
    rows_left,
    visual_rows,
)
from elva.testing import make_prompt, tiny_decoder
from elva.testing.case import SAMPLES
from elva.testing.merger_numbers import lone_view


def test_the_most_similar_are_chosen_and_the_earlier_wins_a_tie():
    low = float("-inf")
    score = torch.tensor([[0.5, 0.9, 0.5, 0.7, 0.5], [low, 0.1, low, 0.2, low]])
    assert most_similar(score, torch.tensor([3, 4])).tolist() == [
        [True, True, False, True, False],
        [False, True, False, True, False],
    ]
    assert not most_similar(score, torch.tensor([0, 0])).any()


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.2, 0.25, 0.29, 0.3, 1 / 3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_rows_left_are_rounded_up_exactly(ratio, stage):
    """In whole numbers: 0.8 * 0.8 * 100 is 64.00000000000001 in floating point, and 65 rows would be one too many."""
    from fractions import Fraction

    share = (1 - Fraction(ratio).limit_denominator(100)) ** stage
    rows = torch.arange(0, 1200)
    expected = [-(-share.numerator * n // share.denominator) for n in rows.tolist()]
    assert rows_left(rows, ratio, stage).tolist() == expected


def test_ratio_must_be_a_share():
    assert check_ratio("ToMe", 0.5, 0.5) == 0.5
    for wrong in (-0.1, 0.6):
        with pytest.raises(ValueError, match=r"ToMe: ratio=.* give 0 to 0.5"):
            check_ratio("ToMe", wrong, 0.5)


@pytest.mark.parametrize("kind", ["normed", "raw", "keys"])
def test_units_have_length_one_in_float32_and_no_gradient(kind):
    state = make_prompt(tiny_decoder(), SAMPLES).state
    state = state.replace(h=state.h.bfloat16().requires_grad_())
    rows = torch.tensor([0, 3, state.h.shape[1] + 2])
    unit = metric(state, lone_view(state), kind)(rows)
    assert unit.dtype == torch.float32
    assert not unit.requires_grad
    torch.testing.assert_close(unit.norm(dim=1), torch.ones(3), atol=1e-5, rtol=0)


def test_units_are_those_of_the_rows_asked_for():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    view = lone_view(state)
    length = state.h.shape[1]
    rows = torch.tensor([4, length + 5])
    x = torch.stack((state.h[0, 4], state.h[1, 5]))
    normed = torch.nn.functional.normalize(view.norm(x), dim=1)
    torch.testing.assert_close(metric(state, view, "normed")(rows), normed)
    torch.testing.assert_close(metric(state, view, "raw")(rows), torch.nn.functional.normalize(x, dim=1))
    keys = torch.stack((view.keys_BLD[0, 4], view.keys_BLD[1, 5]))
    torch.testing.assert_close(metric(state, view, "keys")(rows), torch.nn.functional.normalize(keys, dim=1))


@pytest.mark.parametrize("kind", ["normed", "raw", "keys"])
def test_outside_a_model_the_rows_are_taken_as_they_are(kind):
    state = make_prompt(tiny_decoder(), SAMPLES).state
    expected = torch.nn.functional.normalize(state.h[0, 4], dim=0)
    torch.testing.assert_close(metric(state, None, kind)(torch.tensor([4]))[0], expected)


def test_a_huge_channel_pushes_every_raw_cosine_to_one():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    huge = state.h.clone()
    huge[..., 0] = 1000.0
    state = state.replace(h=huge)
    pair = torch.tensor([4, 7])
    raw, normed = (metric(state, lone_view(state), kind)(pair) for kind in ("raw", "normed"))
    assert float(raw[0] @ raw[1]) > 0.99
    assert abs(float(normed[0] @ normed[1])) < 0.9


def test_visual_rows_now_and_before():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    before = visual_rows(state)
    assert torch.equal(original_visual_rows(state), before)
    into = torch.arange(state.h.shape[1]).repeat(4, 1)
    at = int((state.slot[0] == 0).nonzero()[1])
    into[0, at] = int((state.slot[0] == 0).nonzero()[0])
    merged = state.fold(into)
    assert (visual_rows(merged) - before).tolist() == [-1, 0, 0, 0]
    assert torch.equal(original_visual_rows(merged), before)
