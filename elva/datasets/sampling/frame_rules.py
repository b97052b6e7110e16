"""The rules by which evaluation harnesses choose frames, by name."""

from typing import Any

FRAME_RULES = {
    "lmms-eval": "UniformSampler",
    "vlmevalkit": "InnerSampler",
    "segment-centres": "SegmentCentreSampler",
}
"""``lmms-eval``: ``linspace(0, N - 1, n)``, both ends; ``vlmevalkit``: ``N / (n + 1) * i``, neither end;
``segment-centres``: the middle of each of n parts, as MVBench and VLMEvalKit's MVBench do."""


def frame_rule(name: str, frames: int) -> dict[str, Any]:
    """Return the config of the sampler that follows a rule.

    Args:
        name: One of :data:`FRAME_RULES`.
        frames: How many it takes.

    Raises:
        ValueError: If there is no such rule.
    """
    if name not in FRAME_RULES:
        raise ValueError(f"There is no frame rule '{name}'; there are: {', '.join(FRAME_RULES)}")
    return {"type": FRAME_RULES[name], "num_frames": frames}
