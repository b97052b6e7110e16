"""What the fused kernels of a GPU want, tested without one."""

import pytest
import torch
from torch.nn import functional as F

from elva.models.attention import sdpa
from tests.test_models.test_attention.masks import MASKS, inputs_for


@pytest.mark.parametrize("kind", ["step", "ragged step", "step, sized", "causal", "causal, sized", "ragged"])
def test_a_kernel_may_lay_rows_out_before_heads(kind, monkeypatch):
    """As those of a GPU do: heads that were dealt out as queries are then no view of what they return."""
    inputs = inputs_for(MASKS[kind])
    expected = sdpa(*inputs, MASKS[kind], 0.3)
    kernel = F.scaled_dot_product_attention

    def rows_first(*args, **kwargs):
        return kernel(*args, **kwargs).transpose(1, 2).contiguous().transpose(1, 2)

    monkeypatch.setattr(F, "scaled_dot_product_attention", rows_first)
    torch.testing.assert_close(sdpa(*inputs, MASKS[kind], 0.3), expected)


@pytest.mark.parametrize(("kind", "shared"), [("causal", True), ("two-way in a frame", False), ("ragged step", False)])
def test_off_the_cpu_heads_share_keys_only_without_a_mask_tensor(kind, shared, monkeypatch):
    """With one, kernels that take shared heads hold every score in memory."""
    asked = []

    def note(query, key, value, enable_gqa, **_):
        assert key.shape == value.shape
        asked.append((enable_gqa, key.shape[1] == query.shape[1]))
        return torch.empty_like(query)

    mask, inputs = MASKS[kind], [x.to("meta") for x in inputs_for(MASKS[kind])]
    monkeypatch.setattr(F, "scaled_dot_product_attention", note)
    assert sdpa(*inputs, mask, 0.3).shape == inputs[0].shape
    assert asked == [(shared, not shared)]
