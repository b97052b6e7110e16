"""Videos of any shape pooled to one shape.

Legend: B videos, N tokens, M tokens afterwards, E terms (a token in a window).
"""

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

from elva.registry import REDUCERS
from elva.structures import Kind, VideoTokens
from elva.structures.packing import Packing

from .base import ReduceContext, TokenReducer
from .grid import frame_in_grid, join_first, regrid, slots_of

_ANY = 2**30
"""Stands for an axis that is left as it is."""


@REDUCERS.register_module()
class AdaptivePool(TokenReducer):
    r"""Averages every video to at most ``target`` = (frames, rows, columns), each grid of a hybrid clip by itself.

    Of n places along an axis, window :math:`i` of m takes :math:`\lfloor i n / m \rfloor` up to, not including,
    :math:`\lceil (i + 1) n / m \rceil`, as ``torch.nn.AdaptiveAvgPool3d`` does: where m does not divide n,
    windows overlap. Means are weighted by size. A token in several windows hands its size (and attention) to them in
    equal parts, so that sizes still add up. ``LINE`` tokens are pooled over time and rows, unless they have no slot;
    ``FRAME`` tokens stay. A pooled token stands in the first frame of its window.

    Source: PLLaVA (arXiv 2404.16994), which pools 16 frames of 24 x 24 to (16, 12, 12). An axis that is shorter than
    its target stays as it is; the published layer would repeat what is there.

    Args:
        target: Frames, rows and columns; None leaves an axis as it is. Default: (16, 12, 12).

    Raises:
        ValueError: If ``target`` is not three numbers of 1 or more (or None).
    """

    needs_grid = True
    identity = ({"target": (None, None, None)}, {"target": (10**6, 10**6, 10**6)})

    def __init__(self, target: Sequence[int | None] = (16, 12, 12)) -> None:
        super().__init__()
        if len(target) != 3 or any(t is not None and t < 1 for t in target):
            raise ValueError(
                f"AdaptivePool: target={list(target)}: give frames, rows and columns, each 1 or more, or None"
            )
        self.target = tuple(_ANY if t is None else t for t in target)
        self.keeps_grid = self.causal = target[0] is None  # tokens of pooled frames belong to no frame

    def forward(self, tokens: VideoTokens, context: ReduceContext) -> VideoTokens:
        """Pool; tokens of videos that are no larger than ``target`` come out as they were."""
        del context
        number_BN, frames_BN = frame_in_grid(tokens)
        old_BN3 = torch.cat((frames_BN[..., None], tokens.grid), 2).clamp(min=1)
        new_BN3 = torch.minimum(old_BN3, old_BN3.new_tensor(self.target))
        place_BN3 = torch.cat((number_BN[..., None], tokens.cell), 2)
        key_BE, src_BE, last_BN3 = _windows(tokens, place_BN3, old_BN3, new_BN3)
        coarse = regrid(tokens, new_BN3[..., 1:].masked_fill(~tokens.valid[..., None], 0), last_BN3[..., 1:])
        return _pool(tokens, coarse, key_BE, src_BE)


def _windows(tokens: VideoTokens, place_BN3: Tensor, old_BN3: Tensor, new_BN3: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Which windows each token is in.

    Returns:
        (B, E) long, a number for the window of each term, -1 for none; (B, E) long, the token of each term; (B, N, 3)
        long, the last window of each token along each axis: the one that it would be the first of.
    """
    first_BN3 = (place_BN3 * new_BN3).div(old_BN3, rounding_mode="floor")
    last_BN3 = ((place_BN3 + 1) * new_BN3 - 1).div(old_BN3, rounding_mode="floor")
    line_BN = tokens.kind == Kind.LINE
    for at_BN3 in (first_BN3, last_BN3):
        at_BN3[..., 2] = torch.where(line_BN, new_BN3[..., 2], at_BN3[..., 2])
    rows_BN = torch.arange(line_BN.shape[1], device=line_BN.device).expand_as(line_BN)
    keys, rows = [], []
    for offset in product((0, 1), repeat=3):
        at_BN3 = first_BN3 + first_BN3.new_tensor(offset)
        in_BN = tokens.reducible & (at_BN3 <= last_BN3).all(2)
        if any(offset) and not in_BN.any():
            continue
        # In the numbers of the old grids: two of them may become one grid, and are still pooled apart.
        slot_BN = slots_of(old_BN3[..., 1:], at_BN3[..., 1:], tokens.reducible)
        keys.append((at_BN3[..., 0], slot_BN, in_BN))
        rows.append(rows_BN)
    slots = max(int(slot_BN.max()) for _, slot_BN, _ in keys) + 1
    key_BE = torch.cat([torch.where(in_BN, time_BN * slots + slot_BN, -1) for time_BN, slot_BN, in_BN in keys], 1)
    return key_BE, torch.cat(rows, 1), last_BN3


def _pool(tokens: VideoTokens, coarse: VideoTokens, key_BE: Tensor, src_BE: Tensor) -> VideoTokens:
    """The mean of the tokens of each window, as the first of them, which ``coarse`` describes."""
    length = tokens.x.shape[1]
    own_BN = torch.arange(length, device=key_BE.device).expand_as(tokens.valid)
    other_BN = torch.where(tokens.valid & ~tokens.reducible, own_BN, -1)
    row_BE = torch.cat((torch.where(key_BE >= 0, join_first(key_BE, src_BE), -1), other_BN), 1)
    src_BE = torch.cat((src_BE, own_BN), 1)
    at_BE = torch.where(row_BE >= 0, row_BE, length)

    def add(values_BE: Tensor) -> Tensor:
        return values_BE.new_zeros(len(values_BE), length + 1).scatter_add_(1, at_BE, values_BE)[:, :-1]

    packing = Packing.of(add(torch.ones_like(row_BE)) > 0, tokens.valid)
    if packing is None:
        return tokens
    in_BE = (row_BE >= 0).to(tokens.size)
    windows_BN = torch.zeros_like(tokens.size).scatter_add_(1, src_BE, in_BE).clamp(min=1)
    size_BE, part_BE = tokens.size.gather(1, src_BE), 1 / windows_BN.gather(1, src_BE)
    weight_BE = size_BE / add(size_BE).gather(1, row_BE.clamp(min=0)).clamp(min=torch.finfo(size_BE.dtype).tiny)
    described = coarse.replace(
        size=add(size_BE * part_BE),
        attn=None if tokens.attn is None else add(tokens.attn.gather(1, src_BE) * part_BE),
        frame=_frames(tokens.frame.gather(1, src_BE), at_BE, length),
    )
    dst_BE = packing.new_BL.gather(1, row_BE.clamp(min=0)).masked_fill(row_BE < 0, -1)

    def pooled(x_BNC: Tensor) -> VideoTokens:
        x = described.replace(x=x_BNC)
        return x.combine(packing.old_BM, packing.valid_BM, dst_BE, src_BE, weight_BE)

    out = pooled(tokens.x)
    return out if tokens.keys is None else out.replace(keys=pooled(tokens.keys).x)


def _frames(frame_BE: Tensor, at_BE: Tensor, length: int) -> Tensor:
    """(B, N) long: the frame that all the terms of a row are of; -1 where there are several, or no terms."""
    low_BN = torch.full_like(frame_BE[:, :1], torch.iinfo(torch.long).max).repeat(1, length + 1)
    high_BN = torch.full_like(low_BN, -1).scatter_reduce_(1, at_BE, frame_BE, "amax")
    low_BN.scatter_reduce_(1, at_BE, frame_BE, "amin")
    return torch.where(low_BN == high_BN, low_BN, -1)[:, :-1]
