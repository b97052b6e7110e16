import numpy as np
import pytest

from elva.datasets.sampling import FRAME_RULES, frame_rule
from elva.registry import FRAME_SAMPLERS
from elva.structures import VideoMeta

RULES = {
    "lmms-eval": lambda count, n: np.linspace(0, count - 1, n, dtype=int),
    "vlmevalkit": lambda count, n: [int(count / (n + 1) * i) for i in range(1, n + 1)],
    "segment-centres": lambda count, n: [int((i + 0.5) * count / n) for i in range(n)],
}


@pytest.mark.parametrize("name", FRAME_RULES)
@pytest.mark.parametrize(("count", "frames"), [(326, 8), (301, 32), (1000, 64)])
def test_rules_choose_the_frames_that_the_harness_chooses(name: str, count: int, frames: int) -> None:
    sampler = FRAME_SAMPLERS.build(frame_rule(name, frames))
    times = sampler.plan(VideoMeta("v.mp4", count / 25, 25.0, 4, 4)).seconds
    assert [int(time * 25 + 1e-6) for time in times] == list(RULES[name](count, frames))


def test_an_unknown_rule_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no frame rule 'lmms'; there are: lmms-eval, vlmevalkit, segment-centres"):
        frame_rule("lmms", 8)
