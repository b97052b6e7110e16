import pytest
import torch

from elva.datasets.benchmarks.subtitles import cut
from elva.structures import Clip, FramePlan

BIG, SMALL = (8, 12), (4, 6)


def make_clip(sizes: list[tuple[int, int]]) -> Clip:
    """Frame k is at second k and has the value k everywhere."""
    plan = FramePlan(tuple(map(float, range(len(sizes)))), tuple(sizes))
    pixels = [
        torch.tensor(frames, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, *size)
        for size, frames in plan.groups().items()
    ]
    return Clip(plan, tuple(pixels), "a.mp4")


def frames_of(clip: Clip) -> list[tuple[int, tuple[int, int]]]:
    """Value and size of each frame, in order."""
    found = {}
    for (size, frames), pixels in zip(clip.plan.groups().items(), clip.pixels, strict=True):
        for frame, picture in zip(frames, pixels, strict=True):
            assert picture.shape == (3, *size) and picture.unique().numel() == 1
            found[frame] = (int(picture.flatten()[0]), size)
    return [found[frame] for frame in sorted(found)]


@pytest.mark.parametrize("sizes", [[BIG] * 6, [BIG, SMALL] * 3, [SMALL, SMALL, BIG, SMALL, BIG, BIG]])
@pytest.mark.parametrize("starts", [[0], [0, 1], [0, 5], [0, 2, 3], [0, 1, 2, 3, 4, 5]])
def test_pieces_keep_the_frames_their_order_times_and_sizes(sizes: list[tuple[int, int]], starts: list[int]) -> None:
    clip = make_clip(sizes)
    pieces = cut(clip, starts)
    assert [frame for piece in pieces for frame in frames_of(piece)] == list(enumerate(sizes))
    assert [second for piece in pieces for second in piece.plan.seconds] == list(clip.plan.seconds)
    assert [int(piece.plan.seconds[0]) for piece in pieces] == starts
    assert all(piece.path == "a.mp4" for piece in pieces)


def test_no_pixel_is_copied() -> None:
    clip = make_clip([BIG, SMALL] * 3)
    piece = cut(clip, [0, 3])[1]
    own = {pixels.untyped_storage().data_ptr() for pixels in clip.pixels}
    assert {pixels.untyped_storage().data_ptr() for pixels in piece.pixels} == own
