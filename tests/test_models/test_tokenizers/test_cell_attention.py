import pytest
import torch
import torch.nn.functional as F

from elva.models.tokenizers.cell_attention import CellAttention, half_of


def some_attention():
    torch.manual_seed(0)
    attention = CellAttention(16, 4, scale=16**-0.5)
    with torch.no_grad():
        for norm in (attention.norm_q, attention.norm_kv):
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_()
    return attention


def test_each_cell_is_attended_to_by_its_mean():
    attention, patches = some_attention(), torch.randn(2, 4, 6, 16)
    out = attention(patches)
    assert out.shape == (2, 2, 3, 16)
    for unit, row, col in ((0, 0, 0), (1, 1, 2), (0, 1, 1)):
        cell = patches[unit, 2 * row : 2 * row + 2, 2 * col : 2 * col + 2].reshape(4, 16)
        mean = cell.mean(0, keepdim=True)
        q = attention.q(attention.norm_q(mean)).view(1, 4, 4).transpose(0, 1)
        k, v = (x.view(4, 4, 4).transpose(0, 1) for x in attention.kv(attention.norm_kv(cell)).chunk(2, -1))
        read = ((q @ k.mT * 16**-0.5).softmax(-1) @ v).transpose(0, 1).reshape(1, 16)
        torch.testing.assert_close(out[unit, row, col], (mean + attention.out(read))[0], atol=1e-5, rtol=1e-5)


def test_without_its_last_map_it_is_average_pooling():
    attention, patches = some_attention(), torch.randn(2, 4, 6, 16)
    torch.nn.init.zeros_(attention.out.weight)
    torch.nn.init.zeros_(attention.out.bias)
    pooled = F.avg_pool2d(patches.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    torch.testing.assert_close(attention(patches), pooled)


def test_tokens_of_an_odd_side_are_refused():
    assert half_of(28) == 14
    with pytest.raises(ValueError, match=r"patch_size=15.*even.*2 x 2"):
        half_of(15)
