import torch
from torch.nn import functional as F

from elva.models.reducers import ReduceContext, SpatialPool
from elva.models.reducers.patch_pixels import patch_pixels
from elva.structures import Kind
from elva.testing.reducer_contract import PATCH, context_of, draw

FRAMES = ((4, 4), (2, 2), (4, 4))


def halved(pixels):
    return pixels / 2


def test_each_patch_has_the_pixels_of_its_cell():
    tokens, clip = draw([FRAMES]), context_of([FRAMES]).clips[0]
    pixels = patch_pixels(tokens, [clip], halved)
    assert pixels.shape[2] == 3 * PATCH**2
    patch = tokens.kind[0] == Kind.PATCH
    assert (pixels[0][~patch] == 0).all()
    for grid, frames in zip(((4, 4), (2, 2)), clip.pixels, strict=True):
        own = patch & (tokens.grid[0] == torch.tensor(grid)).all(1)
        cells = F.unfold(frames / 2, PATCH, stride=PATCH).transpose(1, 2).flatten(0, 1)
        torch.testing.assert_close(pixels[0][own], cells)


def test_cells_of_pooled_grids_are_larger_and_of_one_size():
    tokens, clip = draw([FRAMES]), context_of([FRAMES]).clips[0]
    pooled = SpatialPool(2)(tokens, ReduceContext())
    pixels = patch_pixels(pooled, [clip], halved)
    fine = (pooled.kind[0] == Kind.PATCH) & (pooled.grid[0] == 2).all(1)
    cells = F.unfold(clip.pixels[0] / 2, 2 * PATCH, stride=2 * PATCH).transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(pixels[0][fine], cells)


def test_uneven_cells_are_resized_by_area():
    tokens, context = draw([((5, 5),)]), context_of([((5, 5),)])
    pooled = SpatialPool(2)(tokens, ReduceContext())  # 3 x 3 cells of 10 x 10 pixels
    pixels = patch_pixels(pooled, context.clips, halved)[0][pooled.kind[0] == Kind.PATCH]
    resized = F.interpolate(context.clips[0].pixels[0] / 2, (12, 12), mode="area")
    torch.testing.assert_close(pixels, F.unfold(resized, 4, stride=4)[0].T)
