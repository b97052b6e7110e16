"""The kernels agree with each other and with softmax written out, for every kind of mask."""

import pytest
import torch

from elva.models.attention import AttnMask, attention_weights, eager, sdpa
from elva.registry import ATTENTIONS
from elva.structures import PAD_RANK


def make_inputs(queries: int = 7, keys: int = 7, heads: int = 4, groups: int = 2):
    random = torch.Generator().manual_seed(0)
    q = torch.randn(2, heads, queries, 8, generator=random)
    k, v = torch.randn(2, 2, groups, keys, 8, generator=random)
    return q, k, v


def by_hand(q, k, v, mask, scale):
    """Loops over samples, heads and queries; softmax over the visible keys alone."""
    out = torch.zeros_like(q)
    per_group = q.shape[1] // k.shape[1]
    for b in range(q.shape[0]):
        for h in range(q.shape[1]):
            for i in range(q.shape[2]):
                seen = mask.dense[b, 0, i]
                keys, values = k[b, h // per_group, seen], v[b, h // per_group, seen]
                out[b, h, i] = torch.softmax((keys @ q[b, h, i]) * scale, 0) @ values
    return out


RISING = torch.arange(7).expand(2, -1)
RAGGED = RISING.masked_fill(torch.tensor([[False] * 7, [False] * 4 + [True] * 3]), PAD_RANK)
FRAMES = torch.tensor([[0, 3, 3, 3, 6, 6, 6], [0, 1, 2, 5, 5, 5, 6]])


def mask_of(rank, **more):
    return AttnMask(rank, rank, rank < PAD_RANK, span=7, **more)


MASKS = {
    "causal": mask_of(RISING, causal=True),
    "ragged": mask_of(RAGGED),
    "ragged causal": mask_of(RAGGED, causal=True),
    "two-way in a frame": mask_of(FRAMES),
    "window": mask_of(RAGGED).windowed(3),
}


@pytest.mark.parametrize("kernel", [sdpa, eager])
@pytest.mark.parametrize("name", MASKS)
def test_kernel_is_softmax_over_the_visible_keys(kernel, name):
    mask = MASKS[name]
    q, k, v = make_inputs()
    out = kernel(q, k, v, mask, 0.3)
    valid = mask.k_valid[:, None, :, None].expand_as(out)
    torch.testing.assert_close(out[valid], by_hand(q, k, v, mask, 0.3)[valid], atol=1e-5, rtol=0)
    assert out.isfinite().all()


@pytest.mark.parametrize("kernel", [sdpa, eager])
def test_a_single_query_over_a_cache(kernel):
    q, k, v = make_inputs(queries=1)
    mask = AttnMask(torch.full((2, 1), 7), RISING, RISING >= 0, full=True)
    torch.testing.assert_close(kernel(q, k, v, mask, 0.3), by_hand(q, k, v, mask, 0.3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("heads", [2, 4])
def test_weights_add_up_to_one_over_the_visible_keys(heads):
    q, k, _ = make_inputs(heads=heads)
    weights = attention_weights(q, k, MASKS["ragged"].dense, 0.3)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, heads, 7))
    assert (weights[1, :, :, 4:] == 0).all()
    assert weights.dtype == torch.float32


@pytest.mark.parametrize("kernel", [sdpa, eager])
def test_dropout_drops_weights(kernel):
    q, k, v = make_inputs()
    assert not torch.allclose(kernel(q, k, v, MASKS["causal"], 0.3, dropout=0.5), kernel(q, k, v, MASKS["causal"], 0.3))


@pytest.mark.parametrize("kernel", [sdpa, eager])
def test_bfloat16_stays_bfloat16(kernel):
    q, k, v = (x.bfloat16() for x in make_inputs())
    for mask in MASKS.values():
        assert kernel(q, k, v, mask, 0.3).dtype == torch.bfloat16


def test_both_are_registered():
    assert ATTENTIONS.get("sdpa") is sdpa
    assert ATTENTIONS.get("eager") is eager
