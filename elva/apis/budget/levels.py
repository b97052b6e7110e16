"""How far a config can be turned down: smaller frames in between, and more merging."""

from typing import Any, NamedTuple

RATIOS = (0.0, 0.25, 0.5, 0.6, 0.75)
"""Merge ratios to try; what they leave unspent is given back in steps of a hundredth."""


class Resolution(NamedTuple):
    """The arguments of ``HybridResolution``: the first unit of each group at full size, the others at ``low_scale``."""

    group: int
    low_scale: float

    @property
    def share(self) -> float:
        """Of the patches of full-size frames."""
        return (1 + (self.group - 1) * self.low_scale**2) / self.group


STEPS = tuple(Resolution(*step) for step in ((1, 1.0), (2, 0.75), (2, 0.5), (4, 0.5), (4, 1 / 3), (8, 1 / 3)))
"""Resolutions to try beside the config's own."""


def own_resolution(load: dict[str, Any]) -> Resolution:
    """That of a config of ``LoadVideo``."""
    found = load["resolution"]
    return Resolution(found.get("group", 2), found.get("low_scale", 0.5)) if "base" in found else STEPS[0]


def resolutions(load: dict[str, Any]) -> list[Resolution]:
    """From the finest to the coarsest, the config's own among them."""
    return sorted({*STEPS, own_resolution(load)}, key=lambda resolution: -resolution.share)


def ratios(own: float | None, counts: bool) -> list[float | None]:
    """Merge ratios to try, rising.

    Args:
        own: The config's own; None for a merger without a ratio.
        counts: Whether the ratio has a part in what is counted.
    """
    if own is None or not counts:
        return [own]
    return [*sorted({*RATIOS, own})]


def turned(load: dict[str, Any], frames: int, resolution: Resolution, tubelet: int) -> dict[str, Any]:
    """A config of ``LoadVideo`` with so many frames, evenly spread, at such a resolution.

    Raises:
        ValueError: If the config's resolution has no patch size to make small frames by.
    """
    base = load["resolution"].get("base", load["resolution"])
    if resolution == STEPS[0]:
        sizes = base
    else:
        sizes = dict(type="HybridResolution", base=base, unit=tubelet, **resolution._asdict())
    even = load["sampler"]["type"] in ("UniformSampler", "SegmentCentreSampler")
    sampler = dict(type=load["sampler"]["type"] if even else "UniformSampler", num_frames=frames)
    return {**load, "sampler": sampler, "resolution": sizes}
