import pytest
import torch

from elva.structures import Kind
from elva.testing.reducer_contract import draw


def test_select_keeps_every_field_in_step():
    tokens = draw()
    keep = tokens.kind != Kind.LINE
    out = tokens.select(keep)
    for field in ("x", "pos", "seconds", "size", "frame", "slot", "grid", "kind", "attn", "keys"):
        for video in range(len(tokens.x)):
            expected = getattr(tokens, field)[video][keep[video] & tokens.valid[video]]
            assert torch.equal(getattr(out, field)[video][out.valid[video]], expected), field
    assert tokens.select(tokens.valid) is tokens


def test_fold_averages_by_size_and_adds_sizes_up():
    tokens = draw([((1, 3),) * 2], delimiters=False)
    into = torch.tensor([[0, 1, 2, 0, 4, 5]])
    out = tokens.replace(size=torch.tensor([[3.0, 1, 1, 1, 1, 1]])).fold(into)
    assert torch.allclose(out.x[0, 0], 0.75 * tokens.x[0, 0] + 0.25 * tokens.x[0, 3])
    assert torch.equal(out.x[0, 1:], tokens.x[0, [1, 2, 4, 5]])
    assert out.size.tolist() == [[4, 1, 1, 1, 1]]
    assert out.frame.tolist() == [[-1, 0, 0, 1, 1]]
    assert torch.allclose(out.attn[0, 0], tokens.attn[0, 0] + tokens.attn[0, 3])
    assert torch.allclose(out.src.apply(tokens.x, 5), out.x, atol=1e-6)


def test_combine_makes_weighted_sums_and_the_map_follows_through_several_steps():
    tokens = draw([((1, 3),), ((1, 2),)], delimiters=False)
    anchor, valid = torch.tensor([[0, 2], [1, 0]]), torch.tensor([[True, True], [True, False]])
    dst = torch.tensor([[0, 0, 1, 1], [0, 0, -1, -1]])
    src = torch.tensor([[0, 1, 1, 2], [0, 1, 0, 0]])
    weight = torch.tensor([[1, 0.5, 0.5, 2], [0.25, 0.75, 0, 0]])
    out = tokens.combine(anchor, valid, dst, src, weight)
    assert torch.allclose(out.x[0, 0], tokens.x[0, 0] + 0.5 * tokens.x[0, 1])
    assert torch.allclose(out.x[0, 1], 0.5 * tokens.x[0, 1] + 2 * tokens.x[0, 2])
    assert (out.x[1, 1] == 0).all()
    assert out.slot[0].tolist() == [tokens.slot[0, 0], tokens.slot[0, 2]]
    assert torch.allclose(out.src.apply(tokens.x, 2)[valid], out.x[valid], atol=1e-6)
    again = out.combine(anchor[:, :1] * 0, valid[:, :1], dst * 0, src.clamp(max=1), weight)
    assert torch.allclose(again.src.apply(tokens.x, 1), again.x, atol=1e-6)
    dropped = out.select(torch.tensor([[False, True], [True, False]]))
    assert torch.allclose(dropped.src.apply(tokens.x, 1), dropped.x, atol=1e-6)
    assert dropped.src.dense(1)[0, 0].tolist() == pytest.approx([0, 0.5, 2])


def test_cell_is_the_place_in_the_own_grid():
    tokens = draw([((4, 4), (2, 2))])
    low = tokens.frame[0] == 1
    assert tokens.cell[0][low].tolist() == [[-1, -1], [0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
    assert tokens.cell[0, 1:6].tolist() == [[0, 0], [0, 1], [0, 2], [0, 3], [0, 4]]
