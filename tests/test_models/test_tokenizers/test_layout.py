import pytest
import torch

from elva.models.tokenizers.layout import (
    LayoutSpec,
    count_tokens,
    delimit,
    grid_of,
    layout_of,
    patches_of,
    patchify,
    split_units,
    stack_units,
    units_of,
)
from elva.structures import Clip, FramePlan

A, B = (16, 16), (8, 8)


def clip_of(sizes, seconds=None):
    plan = FramePlan(seconds or tuple(float(t) for t in range(len(sizes))), tuple(sizes))
    return Clip(plan, tuple(torch.zeros(len(f), 3, *size) for size, f in plan.groups().items()))


@pytest.mark.parametrize(
    ("sizes", "tubelet", "expected"),
    [
        ((A, A, A, A), 2, [(0, 1), (2, 3)]),
        ((A, A, A), 2, [(0, 1), (2,)]),
        ((A, B, A), 2, [(0,), (1,), (2,)]),  # a unit never spans a change of size
        ((A, B, B, B, A, A), 2, [(0,), (1, 2), (3,), (4, 5)]),
        ((A,), 4, [(0,)]),
    ],
)
def test_units_are_cut_from_runs_of_one_size(sizes, tubelet, expected):
    assert split_units(sizes, tubelet) == expected
    assert [unit.frames for unit in units_of(sizes, LayoutSpec(8, tubelet))] == expected


def test_grid_of_a_frame():
    assert grid_of((16, 24), 8) == (2, 3)
    with pytest.raises(ValueError, match="17x24 pixels.*patches of 8"):
        grid_of((17, 24), 8)
    with pytest.raises(ValueError, match="0x24"):
        grid_of((0, 24), 8)


def test_tokens_are_counted_without_delimiters_and_with():
    plan = FramePlan((0.0, 1.0, 2.0), (A, A, B))
    assert count_tokens(plan, LayoutSpec(8)) == 2 * (4 + 2 + 1) + (1 + 1 + 1)
    assert count_tokens(plan, LayoutSpec(8, frame_token=False)) == 2 * (4 + 2) + (1 + 1)
    assert count_tokens(plan, LayoutSpec(8, line_token=False)) == 2 * (4 + 1) + (1 + 1)
    assert count_tokens(plan, LayoutSpec(8, frame_token=False, line_token=False)) == 2 * 4 + 1


def test_equal_sizes_are_looked_up_whatever_the_times():
    spec, device = LayoutSpec(8, 2), torch.device("cpu")
    one = layout_of([clip_of((A,) * 4)], spec, device)
    other = layout_of([clip_of((A,) * 4, seconds=(0.0, 0.3, 0.7, 5.0))], spec, device)
    assert one is other
    assert one.rows_BN is None, "equal units already stand in their places"


def test_patchify_puts_each_patch_in_its_cell():
    pixels = torch.arange(2 * 3 * 4 * 6).view(1, 2, 3, 4, 6)
    cells = patchify(pixels, 2)
    assert cells.shape == (1, 2, 3, 2 * 3 * 4)
    assert torch.equal(cells[0, 1, 2], pixels[0, :, :, 2:4, 4:6].flatten())


@pytest.mark.parametrize("frame_token", [True, False])
@pytest.mark.parametrize("line_token", [True, False])
def test_delimiters_are_put_in_and_taken_out(frame_token, line_token):
    spec = LayoutSpec(8, frame_token=frame_token, line_token=line_token)
    patches, line, frame = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 5), torch.randn(5)
    rows = delimit(patches, line if line_token else None, frame if frame_token else None)
    assert rows.shape[1] == count_tokens(FramePlan((0.0,), ((24, 32),)), spec)
    assert torch.equal(patches_of(rows, (3, 4), spec), patches)
    if line_token:
        assert torch.equal(rows[:, frame_token:][:, 4::5], line)
    if frame_token:
        assert torch.equal(rows[:, 0], frame.expand(2, -1))


def test_a_block_says_which_units_are_of_one_clip():
    clips = [clip_of((A, B, A)), clip_of((B, B)), clip_of((A, A, A))]
    layout = layout_of(clips, LayoutSpec(8, tubelet=2), torch.device("cpu"))
    blocks = stack_units(clips, layout, 2)
    assert [(block.grid, block.lengths) for block in blocks] == [((2, 2), (2, 2)), ((1, 1), (1, 1))]
    assert [tuple(block.pixels.shape[:2]) for block in blocks] == [(4, 2), (2, 2)]
