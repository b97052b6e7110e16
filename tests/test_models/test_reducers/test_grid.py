import torch

from elva.models.reducers.grid import frame_in_grid, frame_number, join_first, regrid, slots_of
from elva.structures import Kind
from elva.testing.reducer_contract import draw

MIXED = ((4, 4), (2, 2), (4, 4), (2, 2), (2, 2))


def test_frames_are_counted_by_time_also_where_the_index_is_gone():
    tokens = draw([MIXED, ((2, 3),)])
    assert torch.equal(frame_number(tokens), tokens.frame)
    pooled = tokens.replace(frame=torch.full_like(tokens.frame, -1), pos=tokens.pos * 2)
    assert torch.equal(frame_number(pooled), tokens.frame)


def test_frames_are_numbered_within_their_grid():
    tokens = draw([MIXED, ((4, 4),)])
    number, total = frame_in_grid(tokens)
    starts = tokens.kind[0] == Kind.FRAME
    assert number[0][starts].tolist() == [0, 0, 1, 1, 2]
    assert total[0][starts].tolist() == [2, 3, 2, 3, 3]
    assert set(number[1][tokens.valid[1]].tolist()) == {0} and set(total[1][tokens.valid[1]].tolist()) == {1}


def test_rows_join_the_first_of_their_key():
    key = torch.tensor([[5, -1, 5, 0, -1, 0, 5], [1, 2, 3, -1, 3, 2, 1]])
    assert join_first(key).tolist() == [[0, 1, 0, 3, 4, 3, 0], [0, 1, 2, 3, 2, 1, 0]]


def test_slots_of_two_grids_do_not_collide_and_do_not_depend_on_the_neighbour():
    tokens = draw([MIXED, ((3, 2),) * 2])
    slot = slots_of(tokens.grid, tokens.cell, tokens.reducible)
    assert torch.equal(slot >= 0, tokens.reducible)
    for video in range(2):
        own = tokens.reducible[video]
        old, new = tokens.slot[video][own], slot[video][own]
        assert len(torch.stack((old, new), 1).unique(dim=0)) == len(old.unique()) == len(new.unique())
    alone = draw([((3, 2),) * 2], seed=1)
    assert torch.equal(slots_of(alone.grid, alone.cell, alone.reducible)[0], slot[1][tokens.valid[1]])


def test_regrid_to_the_same_grid_changes_no_place():
    tokens = draw([MIXED])
    same = regrid(tokens, tokens.grid, tokens.cell)
    torch.testing.assert_close(same.pos, tokens.pos)
    assert torch.equal(same.cell, tokens.cell) and torch.equal(same.grid, tokens.grid)


def test_regrid_speaks_in_cells_of_the_new_finest_grid():
    tokens = draw([MIXED])
    half = regrid(tokens, tokens.grid // 2, torch.minimum(tokens.cell // 2, tokens.grid // 2))
    patch = tokens.kind == Kind.PATCH
    assert torch.equal(half.cell[patch], tokens.cell[patch] // 2)
    frames = tokens.kind == Kind.FRAME
    assert (half.pos[frames][:, 1:] == 0.5).all()  # the middle of 2 x 2
