"""Patches can be followed through the model, and are drawn where they are."""

import io

import numpy as np
import pytest
import torch

from elva.models.mergers import Merger
from elva.registry import MERGERS
from elva.structures import Kind
from elva.visualization.merge_strip import ClipTrace, draw_strip, trace_clip
from tests.test_visualization.tiny import batch_of, clip_of, random_clip, tiny_model

ELVA = {"type": "HierarchicalTemporalMerger", "layers": (1, 2), "ratio": 0.5, "tau": -1.0}


def traced(merger: dict | None, *clips, video: int = 0) -> ClipTrace:
    model = tiny_model(merger)
    return trace_clip(model, batch_of(model, *clips), video)


def test_without_merging_every_patch_keeps_its_own_row() -> None:
    trace = traced(None, random_clip(frames=8, size=(8, 12)))
    (step,) = trace.steps
    assert step.layer == 0
    assert len(step.row) == 4 * 6  # four tubelets of 2 x 3 patches
    assert step.rows == 4 * (6 + 2 + 1) + 3
    assert len(set(step.row.tolist())) == 24
    assert step.stays.all()
    assert trace.unit.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert np.bincount(trace.patch_unit).tolist() == [6] * 4


def test_frames_are_the_pixels_that_were_read() -> None:
    clip = random_clip()
    trace = traced(None, clip)
    for frame, picture in enumerate(trace.frames):
        assert np.array_equal(picture, clip.pixels[0][frame].permute(1, 2, 0).numpy())
    assert trace.seconds.tolist() == list(clip.plan.seconds)


def test_boxes_tile_each_frame_in_every_size() -> None:
    large, small = torch.zeros(2, 3, 16, 8, dtype=torch.uint8), torch.zeros(4, 3, 8, 4, dtype=torch.uint8)
    trace = traced(None, clip_of(large, small))
    assert trace.unit.tolist() == [0, 0, 1, 1, 2, 2]
    assert np.bincount(trace.patch_unit).tolist() == [8, 2, 2]
    assert [frame.shape[:2] for frame in trace.frames] == [(16, 8)] * 2 + [(8, 4)] * 4
    for unit, (rows, columns) in enumerate([(4, 2), (2, 1), (2, 1)]):
        box = trace.box[trace.patch_unit == unit]
        expected = [(r / rows, c / columns, 1 / rows, 1 / columns) for r in range(rows) for c in range(columns)]
        assert np.allclose(box, expected, atol=1e-6)


def test_a_merged_row_stands_in_the_place_of_its_earliest_patch() -> None:
    trace = traced(ELVA, random_clip())
    assert [step.layer for step in trace.steps] == [0, 1, 2]
    assert trace.steps[0].rows > trace.steps[1].rows > trace.steps[2].rows
    for step in trace.steps:
        assert (step.row >= 0).all()  # merged, never dropped
        for row in set(step.row.tolist()):
            members = step.row == row
            assert step.stays[members].sum() == 1
            assert trace.patch_unit[members & step.stays].item() == trace.patch_unit[members].min()
            assert np.ptp(trace.box[members], axis=0).max() < 1e-6  # one place, at several times
    assert not trace.steps[2].stays.all()


def test_each_video_of_a_batch_is_followed_in_its_own_sample() -> None:
    short, long = random_clip(frames=4, seed=1), random_clip(frames=8, seed=2)
    alone, together = traced(ELVA, long), traced(ELVA, short, long, video=1)
    assert np.array_equal(together.frames[0], alone.frames[0])
    for one, other in zip(alone.steps, together.steps, strict=True):
        assert one.rows == other.rows
        assert np.array_equal(one.row, other.row)
        assert np.array_equal(one.stays, other.stays)


@pytest.fixture
def dropping_merger():
    class DropFirstTubelet(Merger):
        def sites(self, depth):
            return [(1, "pre_attn")]

        def forward(self, state, site, attn=None):
            return state.select(~((state.kind == Kind.PATCH) & (state.frame == 0)))

    MERGERS.register_module(name="DropFirstTubelet", module=DropFirstTubelet)
    yield {"type": "DropFirstTubelet"}
    del MERGERS.module_dict["DropFirstTubelet"]


def test_dropped_patches_have_no_row_and_are_black(dropping_merger: dict) -> None:
    trace = traced(dropping_merger, clip_of(torch.full((8, 3, 8, 12), 200, dtype=torch.uint8)))
    last = trace.steps[-1]
    assert (last.row[trace.patch_unit == 0] == -1).all()
    assert not last.stays[trace.patch_unit == 0].any()
    assert last.stays[trace.patch_unit > 0].all()
    pictures = [ax.images[0].get_array() for ax in draw_strip(trace).axes]
    assert pictures[0].min() == 200  # above, the frames themselves
    assert pictures[8].max() == 0
    assert np.allclose(pictures[10], 200 / 255)


def test_the_strip_shows_frames_then_the_first_and_the_last_merge() -> None:
    trace = traced(ELVA, random_clip(frames=8))
    figure = draw_strip(trace)
    figure.savefig(io.BytesIO(), format="png")
    assert len(figure.axes) == 3 * 8
    titles = [band.get_suptitle() for band in figure.subfigs]
    assert titles[0] == "the frames"
    assert titles[1].startswith(f"in layer 1: {trace.steps[1].rows} of {trace.steps[0].rows} tokens")
    assert titles[2].startswith(f"in layer 2: {trace.steps[2].rows} of {trace.steps[0].rows} tokens")
    last = trace.steps[2]
    several = [row for row in set(last.row.tolist()) if (last.row == row).sum() > 1]
    outlines = sum(len(ax.patches) for ax in figure.axes[16:])
    assert outlines == 2 * len(several)  # once on each frame of the tubelet


def test_long_clips_are_shown_at_some_frames_and_unmerged_ones_once() -> None:
    figure = draw_strip(traced(None, random_clip(frames=20)), columns=5)
    assert len(figure.axes) == 2 * 5
    assert [ax.texts[0].get_text() for ax in figure.axes[:5]] == ["0.00 s", "1.25 s", "2.50 s", "3.50 s", "4.75 s"]
