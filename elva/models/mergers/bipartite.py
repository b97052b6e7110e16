"""Bipartite matching: which rows join which, as ToMe chooses them, over all rows or within a band of them.

Legend: B batch, L rows, P rows of one kind (padded), E rows that may move, F rows that may be joined, N chunks,
R rows of a chunk, S rows in the reach of a chunk, C channels.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from elva.structures import Kind

from .similarity import Metric, most_similar

_BLOCK = 2**21
"""Scores that a core holds at a time (8 MB): memory grows with the rows, not with their square."""

_CHUNK = 32
"""Rows of a band that share one matrix product: fewer waste less of it, more keep the product fast."""


def bipartite_matching(
    unit: Metric, mergeable_BL: Tensor, kind_BL: Tensor, most_B: Tensor, window: int | None = None
) -> Tensor:
    """(B, L) long: the row that each row joins; it names itself if it stays.

    The mergeable rows of each kind are dealt out in turn to two sets, so that both have their share of every kind.
    Each row of the first finds its most similar row of the second; the most similar pairs are merged.

    Args:
        unit: Gives the unit vectors of rows, see :func:`~elva.models.mergers.similarity.metric`.
        mergeable_BL: (B, L) bool; only these take part.
        kind_BL: (B, L) long; pairs are of one kind.
        most_B: (B,) long, how many rows to merge.
        window: A row looks for its partner among the rows of its kind at most this many before or behind it: the cost
            is O(rows x window) instead of O(rows²). Default: among all of them.
    """
    length = mergeable_BL.shape[1]
    rows_BL = torch.arange(length, device=mergeable_BL.device).expand(mergeable_BL.shape)
    member_KBL = torch.stack([mergeable_BL & (kind_BL == kind) for kind in (Kind.PATCH, Kind.LINE)])
    count_KB = member_KBL.sum(2)
    deals = [
        deal(member_BL, count_B, most)
        for member_BL, count_B, most in zip(member_KBL, count_KB, count_KB.amax(1).tolist(), strict=True)
        if most > 1
    ]
    if not deals:
        return rows_BL.clone()
    best, partner = zip(*(most_alike(unit, dealt, length, window) for dealt in deals), strict=True)
    from_BE = torch.cat([dealt.from_BE for dealt in deals], 1)
    moves_BE = most_similar(torch.cat(best, 1), most_B)
    at_BE = from_BE.masked_fill(~moves_BE, length)  # row `length` is cut off again
    into = torch.cat((rows_BL, rows_BL[:, :1]), 1).scatter(1, at_BE, torch.cat(partner, 1))
    return into[:, :-1]


class Deal(NamedTuple):
    """Rows of one kind in two sets: the first, third, fifth of them, and the second, fourth, sixth.

    Attributes:
        from_BE: (B, E) long; padding is any row.
        real_BE: (B, E) bool, false on padding and where there is nobody to join.
        to_BF: (B, F) long; padding repeats the last, so that nothing has to be masked.
    """

    from_BE: Tensor
    real_BE: Tensor
    to_BF: Tensor


def deal(member_BL: Tensor, count_B: Tensor, most: int) -> Deal:
    """Deal out the members of each sample, ``count_B`` of them and at most ``most``."""
    rows_BL = torch.arange(member_BL.shape[1], device=member_BL.device).expand(member_BL.shape)
    at_BL = (member_BL.cumsum(1) - 1).masked_fill(~member_BL, most)
    rows_BP = rows_BL.new_zeros(len(rows_BL), most + 1).scatter_(1, at_BL, rows_BL)[:, :most]
    place_P = torch.arange(most, device=rows_BL.device)
    count_B1 = count_B[:, None]
    last_B1 = (count_B1 // 2 * 2 - 1).clamp(min=1)
    return Deal(
        rows_BP[:, 0::2],
        (place_P[0::2] < count_B1) & (count_B1 > 1),
        rows_BP.gather(1, torch.minimum(place_P[1::2].expand(len(rows_BP), -1), last_B1)),
    )


def most_alike(unit: Metric, dealt: Deal, length: int, window: int | None) -> tuple[Tensor, Tensor]:
    """(B, E) float32, the similarity of each row to the most similar of the others; (B, E) long, which that is."""
    from_BE, real_BE, to_BF = dealt
    first_B1 = torch.arange(len(to_BF), device=to_BF.device)[:, None] * length

    def units(rows: Tensor) -> Tensor:
        return unit((rows + first_B1).flatten()).unflatten(0, rows.shape)

    with torch.autocast(to_BF.device.type, enabled=False):
        if window is None or window >= 2 * to_BF.shape[1]:
            best_BE, at_BE = nearest(units, from_BE, to_BF)
        else:
            best_BE, at_BE = nearest_in_band(units, from_BE, to_BF, window)
    return best_BE.masked_fill(~real_BE, float("-inf")), to_BF.gather(1, at_BE)


def nearest(units: Metric, from_BE: Tensor, to_BF: Tensor) -> tuple[Tensor, Tensor]:
    """(B, E) the similarity of each row to the most similar of the others; (B, E) long, the place of that in ``to_BF``.

    Args:
        units: Gives the unit vectors (B, R, C) of rows (B, R).
        from_BE: (B, E) long.
        to_BF: (B, F) long.
    """
    to_BCF = units(to_BF).transpose(1, 2)
    chunk = max(1, _held(to_BCF) // to_BF.numel())
    found = [(some_BEC @ to_BCF).max(-1) for some_BEC in units(from_BE).split(chunk, dim=1)]
    return torch.cat([best for best, _ in found], 1), torch.cat([at for _, at in found], 1)


def nearest_in_band(units: Metric, from_BE: Tensor, to_BF: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """As :func:`nearest`, if row ``2 e`` may only look at the rows ``2 f + 1`` at most ``window`` from it.

    Chunks of rows meet the stretch of the others that is in their reach; what is out of reach in the corners of such a
    product is pushed below every cosine. Beyond the ends of the sequence the last row stands again: it is always in
    reach of a row that would look there.
    """
    batch, rows = from_BE.shape
    before, behind = (window + 1) // 2, (window - 1) // 2
    chunks, reach = -(-rows // _CHUNK), before + _CHUNK + behind
    place_S = torch.arange(reach, device=from_BE.device)
    offset_RS = place_S - torch.arange(_CHUNK, device=from_BE.device)[:, None]
    bias_RS = torch.where((offset_RS >= 0) & (offset_RS <= before + behind), 0.0, -4.0)
    at_P = torch.arange(-before, chunks * _CHUNK + behind, device=from_BE.device).clamp(0, to_BF.shape[1] - 1)
    from_BNRC = units(F.pad(from_BE, (0, chunks * _CHUNK - rows))).unflatten(1, (chunks, _CHUNK))
    to_BNCS = units(to_BF[:, at_P]).unfold(1, reach, _CHUNK)
    some, found = max(1, _held(bias_RS) // (batch * reach * max(_CHUNK, from_BNRC.shape[3]))), []
    for part_BNRC, part_BNCS in zip(from_BNRC.split(some, 1), to_BNCS.split(some, 1), strict=True):
        score = torch.baddbmm(bias_RS, part_BNRC.flatten(0, 1), part_BNCS.flatten(0, 1))
        found.append([x.view(batch, -1) for x in score.max(-1)])
    best_BE, place_BE = (torch.cat(parts, 1)[:, :rows] for parts in zip(*found, strict=True))
    start_E = torch.arange(rows, device=from_BE.device) // _CHUNK * _CHUNK
    return best_BE, at_P[place_BE + start_E]


def _held(x: Tensor) -> int:
    return _BLOCK * (torch.get_num_threads() if x.device.type == "cpu" else 32)
