import math
import random

import pytest

from elva.datasets.sampling import NativeResolution
from elva.registry import RESOLUTION_SCHEDULERS
from elva.structures import FramePlan, VideoMeta


def _size(scheduler: NativeResolution, height: int, width: int) -> tuple[int, int]:
    plan = scheduler.assign(FramePlan((0.0, 1.0)), VideoMeta("v.mp4", 2.0, 1.0, height, width))
    assert plan.sizes[0] == plan.sizes[1]
    return plan.sizes[0]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ((720, 1280), (144, 256)),  # 9 x 16 patches, the aspect exactly
        ((1080, 1080), (192, 192)),  # 12 x 12
        ((480, 640), (160, 208)),
        ((1920, 1080), (256, 144)),
        ((48, 64), (48, 64)),  # small ones stay as they are
        ((50, 70), (48, 64)),
        ((10, 10), (16, 16)),  # but no side is less than a patch
        ((16, 100_000), (16, 144 * 16)),
        ((5, 4000), (16, 144 * 16)),
    ],
)
def test_sizes(frame: tuple[int, int], expected: tuple[int, int]) -> None:
    scheduler = RESOLUTION_SCHEDULERS.build({"type": "NativeResolution"})
    assert _size(scheduler, *frame) == expected


def test_any_frame_becomes_whole_patches_within_the_cap_in_nearly_its_aspect() -> None:
    rng = random.Random(0)
    for _ in range(2000):
        patch, most = rng.choice((8, 14, 16, 28)), rng.randint(1, 400)
        height, width = round(10 ** rng.uniform(0.7, 3.6)), round(10 ** rng.uniform(0.7, 3.6))
        size = _size(NativeResolution(patch, most), height, width)
        assert size[0] % patch == 0 and size[1] % patch == 0
        rows, cols = size[0] // patch, size[1] // patch
        assert 1 <= rows * cols <= most
        assert rows <= max(1, round(height / patch)) and cols <= max(1, round(width / patch))
        scale = min(1.0, math.sqrt(most * patch**2 / (height * width)))
        if min(height, width) * scale >= 4 * patch:  # elsewhere a single patch makes much of a difference
            assert abs(math.log(rows / cols * width / height)) < 0.2
            assert rows * cols > 0.5 * height * width * (scale / patch) ** 2


def test_small_videos_are_enlarged_to_the_fewest_patches() -> None:
    assert _size(NativeResolution(16, 144, min_patches=36), 32, 32) == (96, 96)
    assert _size(NativeResolution(16, 144, min_patches=16), 16, 64) == (32, 128)
    for height in range(4, 200, 7):
        size = _size(NativeResolution(16, 64, min_patches=20), height, 90)
        assert 12 <= size[0] * size[1] // 256 <= 64


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match=r"min_patches \(5\) is above max_patches \(4\)"):
        NativeResolution(max_patches=4, min_patches=5)
    with pytest.raises(ValueError, match="NativeResolution: patch_size must be above 0"):
        NativeResolution(patch_size=0)
