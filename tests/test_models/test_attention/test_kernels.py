"""The kernels agree with each other and with softmax written out, for every kind of mask, in both directions.

The suite walks the registry. A kernel says itself on which devices it runs, and on which it trains; each is held to
that on the devices that there are. What it does elsewhere is tested in its own file.
"""

import pytest
import torch

from elva.models.attention import AttnMask, attention_weights, eager, flex, sdpa, xformers
from elva.registry import ATTENTIONS
from tests.test_models.test_attention.masks import (
    MASKS,
    RISING,
    SIZES,
    by_hand,
    gradients,
    inputs_for,
    make_inputs,
    mask_of,
    moved,
    real_queries,
)

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
RUNS = [(name, device) for name in ATTENTIONS.names() for device in DEVICES if device in ATTENTIONS.get(name).devices]
TRAINS = [(name, device) for name, device in RUNS if device in ATTENTIONS.get(name).trains_on]


@pytest.mark.parametrize(("name", "device"), RUNS)
@pytest.mark.parametrize("kind", MASKS)
def test_kernel_is_softmax_over_the_visible_keys(name, device, kind):
    mask = MASKS[kind]
    expected = by_hand(*inputs_for(mask), mask, 0.3)
    out = ATTENTIONS.get(name)(*inputs_for(mask, device=device), moved(mask, device), 0.3).cpu()
    valid = real_queries(mask, out)
    torch.testing.assert_close(out[valid], expected[valid], atol=1e-4, rtol=0)
    assert out.isfinite().all()


@pytest.mark.parametrize(("name", "device"), TRAINS)
@pytest.mark.parametrize("kind", MASKS)
def test_gradients_are_those_of_softmax_written_out(name, device, kind):
    expected = gradients(by_hand, MASKS[kind])
    for got, right in zip(gradients(ATTENTIONS.get(name), MASKS[kind], device), expected, strict=True):
        torch.testing.assert_close(got, right, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("name", "device"), RUNS)
@pytest.mark.parametrize("kind", ["causal, sized", "two-way, sized", "step, sized"])
def test_a_merged_row_draws_the_attention_of_its_members(name, device, kind):
    """A key of size n at one place of the mask equals n keys like it there."""
    mask, (q, k, v) = moved(MASKS[kind], device), inputs_for(MASKS[kind], device=device)
    sizes = mask.k_size.clamp(min=1).long()
    for b in range(2):
        ones = [x[b : b + 1] for x in (mask.q_rank, mask.k_rank, mask.k_valid)]
        copies = [x.repeat_interleave(sizes[b], dim=1) for x in ones[1:]]
        many = AttnMask(ones[0], *copies)
        repeated = [x[b : b + 1].repeat_interleave(sizes[b], dim=2) for x in (k, v)]
        expected = ATTENTIONS.get(name)(q[b : b + 1], *repeated, many, 0.3)
        got = ATTENTIONS.get(name)(q, k, v, mask, 0.3)[b : b + 1]
        valid = real_queries(many, got)
        torch.testing.assert_close(got[valid], expected[valid], atol=1e-5, rtol=0)


@pytest.mark.parametrize("kernel", [sdpa, eager])
def test_in_float64_merged_rows_are_as_exact_as_the_logarithm_of_their_size(kernel):
    """That, and eager's softmax, are float32."""
    q, k, v = (x.double() for x in make_inputs())
    mask = mask_of(RISING, causal=True, k_size=SIZES[:1].expand(2, -1))
    sizes = SIZES[0].long()
    many = AttnMask(RISING, *(x.repeat_interleave(sizes, 1) for x in (RISING, RISING >= 0)))
    repeated = (x.repeat_interleave(sizes, 2) for x in (k, v))
    expected = sdpa(q, *repeated, many, 0.3)
    torch.testing.assert_close(kernel(q, k, v, mask, 0.3), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("heads", [2, 4])
def test_weights_add_up_to_one_over_the_visible_keys(heads):
    q, k, _ = make_inputs(heads=heads)
    for kind in ("ragged", "ragged causal", "two-way, sized"):
        weights = attention_weights(q, k, MASKS[kind], 0.3)
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, heads, 7))
        assert weights.dtype == torch.float32
    assert (attention_weights(q, k, MASKS["ragged"], 0.3)[1, :, :, 4:] == 0).all()


@pytest.mark.parametrize(("name", "device"), RUNS)
def test_dropout_drops_weights(name, device):
    mask, inputs = moved(MASKS["two-way in a frame"], device), make_inputs(device=device)
    kernel = ATTENTIONS.get(name)
    assert not torch.allclose(kernel(*inputs, mask, 0.3, dropout=0.5), kernel(*inputs, mask, 0.3))


@pytest.mark.parametrize(("name", "device"), RUNS)
def test_bfloat16_stays_bfloat16(name, device):
    for mask in (MASKS[kind] for kind in ("causal, sized", "two-way, sized", "ragged step")):
        inputs = [x.bfloat16() for x in inputs_for(mask, device=device)]
        assert ATTENTIONS.get(name)(*inputs, moved(mask, device), 0.3).dtype == torch.bfloat16


def test_every_kernel_says_where_it_runs():
    assert {name for name, _ in RUNS} >= {"auto", "eager", "flex", "sdpa"}
    assert ("cuda",) == xformers.devices == flex.trains_on
    for name in ATTENTIONS.names():
        kernel = ATTENTIONS.get(name)
        assert set(kernel.trains_on) <= set(kernel.devices) <= {"cpu", "cuda"}
