"""The pixels behind each patch token.

Legend: B videos, N tokens, R tokens of one size, T frames of one size, H W pixels, h w cells, P numbers of a cell.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from elva.structures import Clip, Kind, VideoTokens


def patch_pixels(tokens: VideoTokens, clips: Sequence[Clip], denormalise: Callable[[Tensor], Tensor]) -> Tensor:
    """(B, N, P) float32: RGB in [0, 1] of the part of the frame that each patch covers; 0 for other tokens.

    A patch of a tubelet, or of several frames pooled, is that of the first of them. Where the cells of a frame are of
    another size than the largest of the batch (grids that were pooled, frames that the tokenizer resizes), they are
    resized to it.

    Args:
        tokens: With places as the tokenizer or a reducer describes them.
        clips: B clips that they were made from.
        denormalise: From pixels of the clips to RGB in [0, 1].
    """
    parts = list(_parts(tokens, clips))
    side = [max(-(-pixels.shape[2 + axis] // grid[axis]) for _, _, pixels, _, grid in parts) for axis in (0, 1)]
    out = torch.zeros(*tokens.valid.shape, 3 * side[0] * side[1], device=tokens.x.device)
    cell_BN2 = tokens.cell
    for video, row_R, pixels, frame_R, (h, w) in parts:
        frames_T3HW = denormalise(pixels).float()
        if frames_T3HW.shape[2:] != (h * side[0], w * side[1]):
            frames_T3HW = F.interpolate(frames_T3HW, (h * side[0], w * side[1]), mode="area")
        cells = frames_T3HW.unflatten(3, (w, side[1])).unflatten(2, (h, side[0])).permute(0, 2, 4, 1, 3, 5)
        row_c, column_c = cell_BN2[video, row_R].unbind(1)
        out[video, row_R] = cells[frame_R, row_c, column_c].flatten(1)
    return out


def _parts(tokens: VideoTokens, clips: Sequence[Clip]) -> Iterator[tuple[int, Tensor, Tensor, Tensor, tuple[int, int]]]:
    """For each size and grid of each clip: video, (R,) patches, (T, 3, H, W) pixels, (R,) frames in them, grid."""
    for video, clip in enumerate(clips):
        time_N = tokens.pos[video, :, 0].floor().long().clamp(0, len(clip.plan) - 1)
        for pixels, frames in zip(clip.pixels, clip.plan.groups().values(), strict=True):
            at_T = torch.full((len(clip.plan),), -1)
            at_T[frames] = torch.arange(len(frames))
            at_N = at_T.to(time_N.device)[time_N]
            patch_N = tokens.valid[video] & (tokens.kind[video] == Kind.PATCH) & (at_N >= 0)
            for h, w in tokens.grid[video, patch_N].unique(dim=0).tolist():
                own_N = patch_N & (tokens.grid[video] == tokens.grid.new_tensor((h, w))).all(1)
                row_R = own_N.nonzero()[:, 0]
                yield video, row_R, pixels, at_N[row_R], (h, w)
