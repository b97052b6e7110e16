import torch

from elva.datasets.transforms import BlankFrames
from elva.structures import Clip, FramePlan


def test_pixels_are_grey_and_everything_else_stays() -> None:
    plan = FramePlan((0.0, 1.0, 2.0), ((4, 6), (2, 3), (4, 6)))
    pixels = (torch.randint(0, 255, (2, 3, 4, 6), dtype=torch.uint8), torch.zeros(1, 3, 2, 3, dtype=torch.uint8))
    results = BlankFrames()({"id": "s", "clips": [Clip(plan, pixels, "a.mp4")]})
    (clip,) = results["clips"]
    assert all(group.dtype == torch.uint8 and group.unique().tolist() == [128] for group in clip.pixels)
    assert clip.plan == plan and clip.path == "a.mp4" and results["id"] == "s"
    assert not (pixels[0] == 128).all()
