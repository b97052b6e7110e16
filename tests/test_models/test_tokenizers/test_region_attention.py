import pytest
import torch

from elva.models.tokenizers.region_attention import RegionAttention


def some_attention(**options):
    torch.manual_seed(0)
    attention = RegionAttention(32, 4, **options)
    with torch.no_grad():
        for norm in (attention.norm_q, attention.norm_kv):
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_()
    return attention, torch.randn(5, 7, 32)


@pytest.mark.parametrize(("scale", "factor"), [(None, 8**-0.5), (32**-0.5, 32**-0.5)])
def test_is_the_textbook_cross_attention(scale, factor):
    attention, region = some_attention(scale=scale)
    query = attention.q(attention.norm_q(attention.token)).view(1, 4, 1, 8).expand(5, -1, -1, -1)
    key, value = (x.view(5, 7, 4, 8).transpose(1, 2) for x in attention.kv(attention.norm_kv(region)).chunk(2, -1))
    weights = (query @ key.transpose(-1, -2) * factor).softmax(-1)
    expected = attention.token + attention.out((weights @ value).transpose(1, 2).flatten(1))
    torch.testing.assert_close(attention(region), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(attention.weights(region), weights.mean(1).squeeze(1), atol=1e-6, rtol=1e-5)


def test_weights_are_float32_and_sum_to_one_in_bfloat16_and_under_autocast():
    attention, region = some_attention()
    exact = attention.weights(region)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = attention.weights(region)
    low = attention.bfloat16().weights(region.bfloat16())
    for weights in (mixed, low):
        assert weights.dtype == torch.float32
        torch.testing.assert_close(weights.sum(1), torch.ones(5))
        torch.testing.assert_close(weights, exact, atol=0.01, rtol=0.1)
