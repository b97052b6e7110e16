import numpy as np
import pytest
import torch
from torch.nn import functional as F

from elva.models.reducers import PruMerge, ReduceContext
from elva.models.reducers.pru_merge import evenly_spaced, outstanding
from elva.structures import Kind
from elva.testing.reducer_contract import draw


def reduce(tokens, **settings):
    return PruMerge(**settings)(tokens, ReduceContext())


def peaked(tokens, places, value=0.2):
    """The tokens with even attention but for some places, counted among the patches of one frame."""
    attn = torch.full_like(tokens.attn, 0.01)
    attn[0, places] = value
    return tokens.replace(attn=attn)


def one_by_one(x, attn, keys, neighbours, plus):
    """One frame as the published description goes; the extra token comes last."""
    low, high = np.percentile(attn.numpy(), 25), np.percentile(attn.numpy(), 75)
    number = int((attn.numpy() > high + 1.5 * (high - low)).sum()) or 1
    kept = attn.argsort(descending=True)[:number].tolist()
    if plus:
        step = max(int(len(x) // number / 3), 1)
        kept += [i for i in range(0, len(x) - 1, step) if i not in kept]
    tokens = {}
    for i in kept:
        others = [j for j in range(len(x)) if j != i]
        others.sort(key=lambda j: -float(F.cosine_similarity(keys[i], keys[j], dim=0)))
        tokens[i] = x[i] + sum(attn[j] * x[j] for j in others[:neighbours])
    dropped = [i for i in range(len(x)) if i not in kept]
    return torch.stack([tokens[i] for i in sorted(tokens)]), sum(attn[j] * x[j] for j in dropped), dropped


@pytest.mark.parametrize("plus", [False, True])
@pytest.mark.parametrize("grid", [(4, 5), (8, 8)])
def test_every_frame_is_as_written_out(grid, plus):
    tokens = draw([(grid,) * 3], delimiters=False)
    out = reduce(tokens, plus=plus, neighbours=6)
    for time in range(3):
        own, left = tokens.frame[0] == time, out.frame[0] == time
        x, attn, keys = tokens.x[0][own], tokens.attn[0][own], tokens.keys[0][own]
        kept, extra, dropped = one_by_one(x, attn, keys, 6, plus)
        slot = tokens.slot[0][own][max(dropped, key=lambda j: float(attn[j]))]
        is_extra = out.slot[0][left] == slot
        got = out.x[0][left]
        assert torch.allclose(got[is_extra][0], extra, atol=1e-5)
        assert torch.allclose(got[~is_extra], kept, atol=1e-5)
        assert float(out.size[0][left][is_extra]) == len(dropped)


@pytest.mark.parametrize("outliers", [1, 3, 7])
def test_one_more_token_than_stand_out(outliers):
    tokens = draw([((24, 24),)], delimiters=False)
    out = reduce(peaked(tokens, list(range(10, 10 + outliers))))
    assert out.x.shape[1] == outliers + 1


def test_even_attention_keeps_one_and_the_rest():
    tokens = draw([((4, 4),)])
    out = reduce(tokens.replace(attn=torch.full_like(tokens.attn, 1 / 16)))
    assert int((out.kind == Kind.PATCH).sum()) == 2
    assert int((out.kind != Kind.PATCH).sum()) == 5


def test_steps_are_a_third_of_the_mean_distance_and_at_least_one():
    there = torch.ones(1, 1, 24, dtype=torch.bool)
    kept = torch.zeros_like(there)
    kept[..., :2] = True
    assert evenly_spaced(kept, there)[0, 0].nonzero()[:, 0].tolist() == [0, 4, 8, 12, 16, 20]
    kept[..., :12] = True
    assert evenly_spaced(kept, there)[0, 0].tolist() == [True] * 23 + [False]
    assert evenly_spaced(there, there).sum() == 23


def test_quartiles_are_of_the_patches_of_the_frame_alone():
    attn = torch.tensor([[[1.0, 2, 3, 4, 50, 9], [1, 2, 3, 4, 50, 5]]])
    there = torch.tensor([[[True] * 5 + [False], [True] * 6]])
    assert outstanding(attn, there).nonzero().tolist() == [[0, 0, 4], [0, 1, 4]]


def test_attention_and_keys_may_be_trained_through_the_weights():
    tokens = draw([((4, 4),)])
    attn = tokens.attn.clone().requires_grad_()
    reduce(tokens.replace(attn=attn)).x.square().sum().backward()
    assert (attn.grad[tokens.kind == Kind.PATCH] != 0).any()
