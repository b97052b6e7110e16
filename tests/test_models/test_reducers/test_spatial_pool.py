import pytest
import torch
from torch.nn import functional as F

from elva.models.reducers import ReduceContext, SpatialPool
from elva.structures import Kind
from elva.testing.reducer_contract import draw

CONTEXT = ReduceContext()


def patches(tokens, video, grid, frames):
    own = (tokens.kind[video] == Kind.PATCH) & (tokens.grid[video] == torch.tensor(grid)).all(1)
    return tokens.x[video][own].view(frames, *grid, -1).permute(0, 3, 1, 2)


@pytest.mark.parametrize("grid", [(4, 4), (5, 3), (1, 7), (2, 2)])
@pytest.mark.parametrize("k", [2, 3])
def test_it_is_the_average_pool_of_torch_with_what_is_there_at_the_edge(grid, k):
    out = SpatialPool(k)(tokens := draw([((6, 6),), (grid,) * 2]), CONTEXT)
    expected = F.avg_pool2d(patches(tokens, 1, grid, 2), k, ceil_mode=True, count_include_pad=False)
    small = tuple(expected.shape[2:])
    torch.testing.assert_close(patches(out, 1, small, 2), expected)
    assert out.size[1].sum() == tokens.size[1].sum()
    assert int((out.kind[1] == Kind.LINE).sum()) == 2 * small[0] and int((out.kind[1] == Kind.FRAME).sum()) == 2


def test_rows_fold_with_their_lines():
    tokens = draw([((4, 4),)])
    out = SpatialPool(2)(tokens, CONTEXT)
    lines = tokens.x[0][tokens.kind[0] == Kind.LINE]
    torch.testing.assert_close(out.x[0][out.kind[0] == Kind.LINE], lines.view(2, 2, -1).mean(1))
    patch, line = int(Kind.PATCH), int(Kind.LINE)
    assert out.kind[0].tolist() == [int(Kind.FRAME), patch, patch, line, patch, patch, line]
    assert out.cell[0][1:].tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]


def test_lines_without_a_slot_stay():
    tokens = draw([((4, 4),)])
    out = SpatialPool(2)(tokens.replace(slot=tokens.slot.masked_fill(tokens.kind == Kind.LINE, -1)), CONTEXT)
    assert int((out.kind == Kind.LINE).sum()) == 4 and (out.slot[out.kind == Kind.LINE] == -1).all()
    assert int((out.kind == Kind.PATCH).sum()) == 4


def test_tokens_of_hybrid_frames_describe_themselves_in_the_new_grids():
    out = SpatialPool(2)(draw([((8, 8), (4, 4)) * 2]), CONTEXT)
    kept = out.kind[0] == Kind.PATCH
    fine, coarse = ((out.grid[0] == torch.tensor(grid)).all(1) & kept for grid in ((4, 4), (2, 2)))
    assert int(fine.sum()) == 32 and int(coarse.sum()) == 8
    assert out.pos[0][fine][:4, 1:].tolist() == [[0, 0], [0, 1], [0, 2], [0, 3]]
    assert out.pos[0][coarse][:2, 1:].tolist() == [[0.5, 0.5], [0.5, 2.5]]
    assert not set(out.slot[0][fine].tolist()) & set(out.slot[0][coarse].tolist())
    assert torch.equal(out.slot[0][fine].view(2, 16)[0], out.slot[0][fine].view(2, 16)[1])
    assert (out.pos[0][out.kind[0] == Kind.FRAME][:, 1:] == 1.5).all()


def test_pooling_twice_is_pooling_by_the_product():
    tokens = draw([((8, 8),) * 2])
    twice = SpatialPool(2)(SpatialPool(2)(tokens, CONTEXT), CONTEXT)
    once = SpatialPool(4)(tokens, CONTEXT)
    for name in ("x", "pos", "size", "slot", "grid", "kind", "attn"):
        torch.testing.assert_close(getattr(twice, name), getattr(once, name))
    assert torch.equal(twice.src.dense(twice.valid.shape[1]), once.src.dense(once.valid.shape[1]))


def test_a_square_has_a_side():
    with pytest.raises(ValueError, match="k=0"):
        SpatialPool(0)
