import pytest
import torch

from elva.models.reducers import MatryoshkaPool, ReduceContext
from elva.structures import Kind
from elva.testing.reducer_contract import draw

CONTEXT = ReduceContext()


def count(tokens):
    return int((tokens.kind == Kind.PATCH).sum())


@pytest.mark.parametrize("scale", [1, 9, 36, 144, 576])
def test_24_x_24_patches_have_five_scales(scale):
    tokens = draw([((24, 24),)], delimiters=False)
    out = MatryoshkaPool(scale)(tokens, CONTEXT)
    assert count(out) == scale and (out.size[out.valid] == 576 / scale).all()


def test_a_pooled_level_pools_to_the_level_below():
    tokens = draw([((24, 24),)])
    for fine, coarse in ((144, 36), (144, 9), (36, 1)):
        direct = MatryoshkaPool(coarse)(tokens, CONTEXT)
        nested = MatryoshkaPool(coarse)(MatryoshkaPool(fine)(tokens, CONTEXT), CONTEXT)
        for name in ("x", "pos", "size", "slot", "grid"):
            torch.testing.assert_close(getattr(nested, name), getattr(direct, name))


def test_49_tokens_are_not_36():
    tokens = draw([((14, 14),)])
    with pytest.raises(ValueError, match=r"36 tokens a frame cannot be had of 14 x 14 .* \[196, 49, 4, 1\]"):
        MatryoshkaPool(36)(tokens, CONTEXT)
    with pytest.raises(ValueError, match="8 x 2"):
        MatryoshkaPool(1)(draw([((8, 2),)]), CONTEXT)


def test_low_resolution_frames_keep_what_they_have():
    tokens = draw([((4, 4), (2, 2)) * 2], delimiters=False)
    assert count(MatryoshkaPool(4)(tokens, CONTEXT)) == 4 * 4
    assert count(MatryoshkaPool(1)(tokens, CONTEXT)) == 4


def test_scales_are_drawn_in_training_alone():
    tokens = draw([((4, 4),)])
    reducer = MatryoshkaPool(4, scales=(1, 4, 16))
    torch.manual_seed(0)
    drawn = [count(reducer.train()(tokens, CONTEXT)) for _ in range(20)]
    assert set(drawn) == {1, 4, 16}
    assert {count(reducer.eval()(tokens, CONTEXT)) for _ in range(5)} == {4}


def test_a_frame_keeps_a_token():
    with pytest.raises(ValueError, match="scales="):
        MatryoshkaPool(4, scales=(1, 0))
