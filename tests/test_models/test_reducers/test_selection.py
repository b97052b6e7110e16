import torch

from elva.models.reducers.selection import absorb, hand_over, mean_weights
from elva.testing.reducer_contract import draw


def test_absorbed_tokens_are_weighted_and_the_others_stay_to_the_last_bit():
    tokens = draw([((1, 3),), ((1, 2),)], delimiters=False)
    keep = torch.tensor([[False, True, True], [True, True, False]])
    dst, src = torch.tensor([[1, -1], [-1, -1]]), torch.tensor([[0, 2], [0, 0]])
    own = torch.tensor([[1.0, 0.5, 1.0], [1.0, 1.0, 1.0]])
    out = absorb(tokens, keep, own, dst, src, torch.full((2, 2), 0.25))
    assert torch.allclose(out.x[0, 0], 0.5 * tokens.x[0, 1] + 0.25 * tokens.x[0, 0])
    assert torch.equal(out.x[0, 1], tokens.x[0, 2])
    assert torch.equal(out.x[1], tokens.x[1, :2])
    assert out.slot.tolist() == [[1, 2], [0, 1]]


def test_sizes_and_attention_go_with_the_tokens():
    tokens = draw([((1, 3),)], delimiters=False)
    out = hand_over(tokens, torch.tensor([[1, -1, 1]]), torch.tensor([[0, 1, 2]]))
    assert out.size[0, 1] == 3
    assert torch.allclose(out.attn[0, 1], tokens.attn[0].sum())


def test_shares_are_by_size():
    got = mean_weights(torch.tensor([[1.0, 3.0, 2.0, 5.0]]), torch.tensor([[0, 0, 2, -1]]), 3)
    assert got.tolist() == [[0.25, 0.75, 1.0, 0.0]]
