"""A clip in pieces. Legend: T frames."""

from collections.abc import Sequence
from itertools import pairwise

from elva.structures import Clip, FramePlan


def cut(clip: Clip, starts: Sequence[int]) -> list[Clip]:
    """Return the pieces of ``clip``: each begins at one of ``starts`` and ends where the next one begins.

    Frames keep their order, times and sizes; no pixel is copied.

    Args:
        clip: T frames, in any sizes.
        starts: Rising indices of frames; the first is 0.
    """
    groups = clip.plan.groups()
    pixels = dict(zip(groups, clip.pixels, strict=True))
    place = {frame: number for frames in groups.values() for number, frame in enumerate(frames)}
    pieces = []
    for begin, end in pairwise([*starts, len(clip.plan)]):
        plan = FramePlan(clip.plan.seconds[begin:end], clip.plan.sizes[begin:end])
        parts = []
        for size, frames in plan.groups().items():
            first = place[begin + frames[0]]  # a piece's frames of one size stand next to each other in their group
            parts.append(pixels[size][first : first + len(frames)])
        pieces.append(Clip(plan, tuple(parts), clip.path))
    return pieces
