import pytest

from elva.datasets.sampling import FixedResolution
from elva.registry import RESOLUTION_SCHEDULERS
from elva.structures import FramePlan, VideoMeta

META = VideoMeta("v.mp4", 1.0, 25.0, height=100, width=30)


def test_every_frame_gets_the_size() -> None:
    scheduler = RESOLUTION_SCHEDULERS.build({"type": "FixedResolution", "size": [48, 96], "patch_size": 12})
    plan = scheduler.assign(FramePlan((0.0, 0.5)), META)
    assert plan == FramePlan((0.0, 0.5), ((48, 96), (48, 96)))
    assert scheduler.patch_size == 12


def test_the_size_must_be_a_multiple_of_the_patch() -> None:
    with pytest.raises(ValueError, match=r"\(50, 64\) is not a multiple of patch_size 16; .* is \(64, 64\)"):
        FixedResolution((50, 64))
    with pytest.raises(ValueError, match="height must be above 0"):
        FixedResolution((0, 64))
