"""Where tokens stand: frames and grids, as several reducers need them.

A frame is what has one time: that of ``pos`` and not the field ``frame``, which tokens of pooled frames have no more.

Legend: B videos, N tokens, T frames of the longest video, E entries, K keys.
"""

import torch
from torch import Tensor

from elva.structures import Kind, VideoTokens


def frame_number(tokens: VideoTokens) -> Tensor:
    """(B, N) long: frames counted from 0 through each video, in order of time; -1 on padding."""
    time_BN = tokens.pos[..., 0]
    starts_BN = torch.zeros_like(tokens.valid)
    starts_BN[:, 1:] = time_BN[:, 1:] > time_BN[:, :-1] + 1e-4
    return starts_BN.cumsum(1).masked_fill(~tokens.valid, -1)


def frame_in_grid(tokens: VideoTokens) -> tuple[Tensor, Tensor]:
    """(B, N) long: the number of the token's frame among the frames of the same grid; and how many these are."""
    frame_BN, grid_BN = frame_number(tokens), _grid_key(tokens.grid)
    frames = int(frame_BN.max()) + 1
    at_BN = torch.where(frame_BN >= 0, frame_BN, frames)
    grid_BT = grid_BN.new_full((len(grid_BN), frames + 1), -1).scatter_(1, at_BN, grid_BN)
    grid_BT[:, -1] = -1  # padding
    sorted_BT, order_BT = grid_BT.sort(dim=1, stable=True)
    first_BT = torch.searchsorted(sorted_BT, sorted_BT)
    count_BT = torch.searchsorted(sorted_BT, sorted_BT, right=True) - first_BT
    number_BT = torch.empty_like(order_BT).scatter_(1, order_BT, _rows(first_BT) - first_BT)
    total_BT = torch.empty_like(order_BT).scatter_(1, order_BT, count_BT)
    return number_BT.gather(1, at_BN), total_BT.gather(1, at_BN)


def join_first(key_BE: Tensor, row_BE: Tensor | None = None) -> Tensor:
    """(B, E) long: the first row of those with the same key; rows with key -1 name themselves.

    Memory grows with the greatest key.

    Args:
        key_BE: (B, E) long.
        row_BE: (B, E) long, the row of each entry. Default: its place, so that the answer is what ``fold`` takes.
    """
    row_BE = _rows(key_BE) if row_BE is None else row_BE
    nowhere = int(key_BE.max()) + 1
    at_BE = torch.where(key_BE >= 0, key_BE, nowhere)
    first_BK = torch.full_like(key_BE[:, :1], torch.iinfo(torch.long).max).repeat(1, nowhere + 1)
    first_BK.scatter_reduce_(1, at_BE, row_BE, "amin")
    return torch.where(key_BE >= 0, first_BK.gather(1, at_BE), row_BE)


def slots_of(grid_BN2: Tensor, cell_BN2: Tensor, which_BN: Tensor) -> Tensor:
    """(B, N) long: slots for the cells of any grids; the same number <=> the same cell of the same grid of a video.

    Grids are numbered one after another, as they first appear in each video; a row of w columns takes w + 1 numbers,
    the last of them for its ``LINE``.

    Args:
        grid_BN2: (B, N, 2) long, rows and columns of the grid of each token.
        cell_BN2: (B, N, 2) long, its row and column there; a ``LINE`` is in column w.
        which_BN: (B, N) bool, the tokens that get a slot; the others get -1.
    """
    first_BN = join_first(_grid_key(grid_BN2).masked_fill(~which_BN, -1))
    new_BN = which_BN & (first_BN == _rows(first_BN))
    places_BN = (grid_BN2[..., 0] * (grid_BN2[..., 1] + 1)).masked_fill(~new_BN, 0)
    base_BN = (places_BN.cumsum(1) - places_BN).gather(1, first_BN)
    slot_BN = base_BN + cell_BN2[..., 0] * (grid_BN2[..., 1] + 1) + cell_BN2[..., 1]
    return slot_BN.masked_fill(~which_BN, -1)


def regrid(tokens: VideoTokens, grid_BN2: Tensor, cell_BN2: Tensor) -> VideoTokens:
    """The same tokens as cells of other grids: ``grid``, ``pos`` (in cells of the new finest grid) and ``slot`` change.

    Several tokens may be given one cell; fold them into one afterwards. ``FRAME`` stays in the middle, and a token
    without a slot stays without one.

    Args:
        tokens: As they are.
        grid_BN2: (B, N, 2) long, rows and columns of the new grid of each token, ``FRAME`` included.
        cell_BN2: (B, N, 2) long, row and column there; a ``LINE`` is in the column behind the last.
    """
    old_B12, new_B12 = (grid.amax(1, keepdim=True).clamp(min=1) for grid in (tokens.grid, grid_BN2))
    scaled_BN2 = (tokens.pos[..., 1:] + 0.5) * (new_B12 / old_B12) - 0.5
    centre_BN2 = (cell_BN2 + 0.5) * (new_B12 / grid_BN2.clamp(min=1)) - 0.5
    place_BN2 = torch.where((tokens.kind == Kind.FRAME)[..., None], scaled_BN2, centre_BN2)
    pos_BN3 = torch.cat((tokens.pos[..., :1], place_BN2.to(tokens.pos)), 2)
    return tokens.replace(
        pos=pos_BN3.masked_fill(~tokens.valid[..., None], 0),
        grid=grid_BN2.masked_fill(~tokens.valid[..., None], 0),
        slot=slots_of(grid_BN2, cell_BN2, tokens.reducible),
    )


def _grid_key(grid_BN2: Tensor) -> Tensor:
    return grid_BN2[..., 0] * (int(grid_BN2[..., 1].max()) + 1) + grid_BN2[..., 1]


def _rows(like_BN: Tensor) -> Tensor:
    return torch.arange(like_BN.shape[1], device=like_BN.device).expand_as(like_BN)
