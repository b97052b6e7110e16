import pytest
import torch
from torch.nn import functional as F

from elva.models.reducers import AdaptivePool, ReduceContext, SpatialPool, TemporalPool
from elva.structures import Kind
from elva.testing.reducer_contract import draw

CONTEXT = ReduceContext()


def cube(tokens, video, shape):
    patch = (tokens.kind[video] == Kind.PATCH) & (tokens.grid[video] == torch.tensor(shape[1:])).all(1)
    return tokens.x[video][patch].view(*shape, -1).permute(3, 0, 1, 2)


@pytest.mark.parametrize("target", [(2, 3, 2), (3, 2, 2), (1, 1, 1), (5, 4, 4), (4, 5, 3)])
def test_it_is_the_adaptive_average_pool_of_torch(target):
    tokens = draw([((6, 6),), ((5, 4),) * 5])
    out = AdaptivePool(target)(tokens, CONTEXT)
    expected = F.adaptive_avg_pool3d(cube(tokens, 1, (5, 5, 4)), target)
    torch.testing.assert_close(cube(out, 1, target), expected)
    lines = tokens.x[1][tokens.kind[1] == Kind.LINE].view(5, 5, -1).permute(2, 0, 1)
    pooled = out.x[1][out.kind[1] == Kind.LINE].view(*target[:2], -1).permute(2, 0, 1)
    torch.testing.assert_close(pooled, F.adaptive_avg_pool2d(lines, target[:2]))
    torch.testing.assert_close(out.size.sum(1), tokens.size.sum(1))
    assert out.attn is not None and tokens.attn is not None
    torch.testing.assert_close(out.attn.sum(1), tokens.attn.sum(1))


def test_the_published_shape():
    tokens = draw([((24, 24),) * 16], delimiters=False)
    assert int(AdaptivePool()(tokens, CONTEXT).valid.sum()) == 16 * 12 * 12


def test_axes_that_are_short_stay():
    tokens = draw([((2, 6),) * 3, ((2, 2),)], delimiters=False)
    out = AdaptivePool((16, 3, 3))(tokens, CONTEXT)
    assert out.valid.sum(1).tolist() == [3 * 2 * 3, 4]
    assert torch.equal(out.x[1, :4], tokens.x[1, :4])
    assert torch.equal(AdaptivePool((3, 2, 6))(tokens, CONTEXT).x, tokens.x)


def test_each_grid_is_pooled_by_itself():
    tokens = draw([((4, 4), (2, 2)) * 3])
    out = AdaptivePool((2, 2, 2))(tokens, CONTEXT)
    kept = out.kind[0] == Kind.PATCH
    assert int(kept.sum()) == 2 * (2 * 2 * 2) and int((out.kind == Kind.FRAME).sum()) == 6
    fine = F.adaptive_avg_pool3d(cube(tokens, 0, (3, 4, 4)), 2).permute(1, 2, 3, 0).flatten(1, 2)
    coarse = F.adaptive_avg_pool3d(cube(tokens, 0, (3, 2, 2)), 2).permute(1, 2, 3, 0).flatten(1, 2)
    expected = torch.stack((fine, coarse), 1)  # windows start at frames 0 and 1, and 2 and 3
    torch.testing.assert_close(out.x[0][kept].view(2, 2, 4, -1), expected)


def test_where_windows_do_not_overlap_it_is_the_plain_pools():
    tokens = draw([((4, 4),) * 6])
    plain = TemporalPool(3)(SpatialPool(2)(tokens, CONTEXT), CONTEXT)
    out = AdaptivePool((2, 2, 2))(tokens, CONTEXT)
    for name in ("x", "pos", "size", "frame", "slot", "grid", "kind", "attn", "keys"):
        torch.testing.assert_close(getattr(out, name), getattr(plain, name))


def test_space_alone_keeps_the_grid():
    assert AdaptivePool((None, 2, 2)).keeps_grid and not AdaptivePool((4, 2, 2)).keeps_grid
    tokens = draw([((4, 4),) * 3])
    out, plain = AdaptivePool((None, 2, 2))(tokens, CONTEXT), SpatialPool(2)(tokens, CONTEXT)
    torch.testing.assert_close(out.x, plain.x)
    assert torch.equal(out.frame, plain.frame)


def test_a_target_is_three_numbers():
    for target in ((4, 4), (0, 2, 2)):
        with pytest.raises(ValueError, match="frames, rows and columns"):
            AdaptivePool(target)
