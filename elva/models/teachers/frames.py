"""From the clips that the student sees to the frames that its teacher takes.

Legend: V videos, T frames of the longest, F frames of all videos, S side in pixels, H W pixels.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from elva.models.tokenizers.layout import Size, split_units
from elva.structures import Clip


@torch.no_grad()
def teacher_frames(
    clips: Sequence[Clip], side: int, denormalise: Callable[[Tensor], Tensor], tubelet: int
) -> tuple[Tensor, Tensor]:
    """Every frame of a batch of clips, as teachers take them.

    Args:
        clips: V clips with normalised pixels.
        side: S, the teacher's ``image_size``.
        denormalise: From normalised pixels to RGB in [0, 1].
        tubelet: That of the tokenizer.

    Returns:
        Frames (V, T, 3, S, S), and (V, T) long: the value of ``VideoTokens.frame`` that each belongs to. Padding is -1
        there, and shows some other frame.
    """
    takes, order_VT, unit_VT = _places(tuple(c.plan.sizes for c in clips), tubelet, clips[0].pixels[0].device)
    groups = [torch.cat([clips[v].pixels[entry] for v, entry in group]) for group in takes]
    resized = [resize_frames(denormalise(pixels), side) for pixels in groups]
    frames = resized[0] if len(resized) == 1 else torch.cat(resized)
    frames = frames if order_VT is None else frames.index_select(0, order_VT.flatten())
    return frames.unflatten(0, unit_VT.shape), unit_VT


def resize_frames(frames: Tensor, side: int) -> Tensor:
    """Frames (F, 3, H, W) from 0 to 1 as (F, 3, S, S), bicubic with antialiasing; aspect is not kept.

    A teacher's map is then stretched as its frames are, so a place has the same relative coordinates in both.
    """
    if frames.shape[-2:] == (side, side):
        return frames
    return F.interpolate(frames.float(), (side, side), mode="bicubic", antialias=True).clamp(0, 1)


@lru_cache(maxsize=16)
def _places(
    sizes: tuple[tuple[Size, ...], ...], tubelet: int, device: torch.device
) -> tuple[list[list[tuple[int, int]]], Tensor | None, Tensor]:
    """Where frames grouped by size go.

    Returns:
        The pairs (clip, entry of ``Clip.pixels``) of each size; the place of each frame (V, T) among those, None if
        they stand in that order; the unit of each frame (V, T).
    """
    longest = max(map(len, sizes))
    takes: list[list[tuple[int, int]]] = []
    order, row = [[0] * longest for _ in sizes], 0
    for size in dict.fromkeys(size for clip in sizes for size in clip):
        takes.append([(v, list(dict.fromkeys(clip)).index(size)) for v, clip in enumerate(sizes) if size in clip])
        for v, clip in enumerate(sizes):
            for t, other in enumerate(clip):
                if other == size:
                    order[v][t] = row
                    row += 1
    units = [[u for u, frames in enumerate(split_units(clip, tubelet)) for _ in frames] for clip in sizes]
    units = [unit + [-1] * (longest - len(unit)) for unit in units]
    with torch.inference_mode(False):  # cached: must be fit for a later backward pass
        unit_VT = torch.tensor(units, device="cpu").to(device)
        in_place = [i for row in order for i in row] == list(range(len(sizes) * longest))
        return takes, None if in_place else torch.tensor(order, device="cpu").to(device), unit_VT
