import pytest
import torch

from elva.structures import Clip, FramePlan


def test_groups_list_the_frames_of_each_size_in_order_of_appearance():
    plan = FramePlan((0.0, 1.0, 2.0), ((8, 8), (4, 4), (8, 8)))
    assert plan.groups() == {(8, 8): [0, 2], (4, 4): [1]}
    assert len(plan) == 3


def test_sizes_must_be_one_a_frame():
    with pytest.raises(ValueError, match="2 times but 1 sizes"):
        FramePlan((0.0, 1.0), ((8, 8),))


def test_clip_refuses_pixels_that_do_not_fit_its_plan():
    plan = FramePlan((0.0, 1.0), ((8, 8), (4, 4)))
    with pytest.raises(ValueError, match=r"Clip of a\.mp4: plan needs frames"):
        Clip(plan, (torch.zeros(2, 3, 8, 8),), path="a.mp4")


def test_map_changes_every_group_of_pixels():
    plan = FramePlan((0.0, 1.0), ((8, 8), (4, 4)))
    clip = Clip(plan, (torch.ones(1, 3, 8, 8), torch.ones(1, 3, 4, 4)), "a.mp4").map(lambda p: p * 2)
    assert [float(p.mean()) for p in clip.pixels] == [2.0, 2.0]
    assert clip.path == "a.mp4"
