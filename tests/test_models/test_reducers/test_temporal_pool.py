import pytest
import torch

from elva.models.reducers import ReduceContext, TemporalPool
from elva.structures import Kind
from elva.testing.reducer_contract import draw

CONTEXT = ReduceContext()


def test_windows_of_frames_become_their_mean_in_the_place_of_the_first():
    tokens = draw([((2, 3),) * 5])
    out = TemporalPool(2)(tokens, CONTEXT)
    patches = tokens.x[0][tokens.kind[0] == Kind.PATCH].view(5, 6, -1)
    expected = torch.stack((patches[:2].mean(0), patches[2:4].mean(0), patches[4]))
    kept = out.kind[0] == Kind.PATCH
    torch.testing.assert_close(out.x[0][kept], expected.flatten(0, 1))
    assert out.pos[0][kept][:, 0].view(3, 6)[:, 0].tolist() == [0, 2, 4]
    assert out.size[0][kept].view(3, 6)[:, 0].tolist() == [2, 2, 1]
    assert out.frame[0][kept].view(3, 6)[:, 0].tolist() == [-1, -1, 4]
    assert int((out.kind == Kind.FRAME).sum()) == 5 and int((out.kind == Kind.LINE).sum()) == 3 * 2


def test_frames_of_two_grids_are_pooled_each_among_themselves():
    tokens = draw([((4, 4), (2, 2)) * 4], delimiters=False)
    out = TemporalPool(4)(tokens, CONTEXT)
    assert out.valid.sum() == 16 + 4 and (out.size == 4).all()
    for grid, start in (((4, 4), 0), ((2, 2), 1)):
        own = (tokens.grid[0] == torch.tensor(grid)).all(1)
        mean = tokens.x[0][own].view(4, grid[0] * grid[1], -1).mean(0)
        torch.testing.assert_close(out.x[0][(out.grid[0] == torch.tensor(grid)).all(1)], mean)
        assert (out.pos[0][(out.grid[0] == torch.tensor(grid)).all(1)][:, 0] == start).all()


def test_means_are_weighted_by_size():
    tokens = draw([((2, 2),) * 2], delimiters=False)
    size = torch.where(tokens.frame == 0, 3.0, 1.0)
    out = TemporalPool(2)(tokens.replace(size=size), CONTEXT)
    torch.testing.assert_close(out.x[0], 0.75 * tokens.x[0, :4] + 0.25 * tokens.x[0, 4:])


def test_a_window_has_a_frame_at_least():
    with pytest.raises(ValueError, match="k=0"):
        TemporalPool(0)
