import pytest

from elva.datasets.sampling import LongestSide
from elva.structures import FramePlan, VideoMeta


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [
        (1080, 1920, (288, 512)),
        (1920, 1080, (512, 288)),
        (512, 512, (512, 512)),
        (48, 64, (48, 64)),
        (2, 5000, (1, 512)),
    ],
)
def test_the_longer_side_fits_and_nothing_is_enlarged(height, width, size):
    meta = VideoMeta(path="a.mp4", duration=2.0, fps=10.0, height=height, width=width)
    plan = LongestSide(512).assign(FramePlan((0.0, 1.0)), meta)
    assert plan.sizes == (size, size) and plan.seconds == (0.0, 1.0)


def test_a_side_of_nothing_is_refused():
    with pytest.raises(ValueError, match="LongestSide: max_side must be above 0"):
        LongestSide(0)
