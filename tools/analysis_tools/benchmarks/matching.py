"""What ToMe costs here, over all rows and within a window, against its plain published form.

Legend: B batch (1), L rows, E rows of the even half, C channels, D channels of the keys, M rows that move, S that stay.
"""

from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from elva.models.mergers.bipartite import bipartite_matching
from elva.models.mergers.similarity import metric
from elva.structures import Kind, SequenceState, SourceMap

from .result import Result
from .timing import interleaved, median_ratio


def matching(
    image: int = 577, clip: int = 6272, width: int = 1024, keys: int = 64, window: int = 64, rounds: int = 15
) -> list[Result]:
    """How many times as long the plain form takes, in float32, to merge away a quarter of the rows.

    Over all rows the whole merge is timed: who joins whom, and the averages. Ours keeps the order, the positions and
    the account of every row as well. A window shortens the search alone, so there the search is timed alone. Both have
    one thread: operations this short would otherwise show how long threads wait for each other on a busy machine.

    Args:
        image: Rows of the smaller sequence. Default: those of ViT-L/14 at 336 pixels.
        clip: Rows of the larger one. Default: 32 frames of 14 x 14.
        width: Channels of the rows. Default: ViT-L's.
        keys: Channels of the keys that are compared, the mean over heads. Default: ViT-L's.
        window: Rows that a partner may be away in the local form. Default: four rows of 14 patches up and down.
        rounds: Calls of each that are measured with ``clip`` rows; ten times as many with ``image``.
    """
    small, large = _Case.of(image, width, keys), _Case.of(clip, width, keys)
    return [
        _compare(f"ToMe's merge of {image:,} rows", small.plain_merge, small.merge, 1.0, 10 * rounds),
        _compare(f"ToMe's merge of {clip:,} rows", large.plain_merge, large.merge, 1.0, rounds),
        _compare(
            f"ToMe's search in {clip:,} rows, window {window}",
            large.plain_search,
            lambda: large.search(window),
            10.0,
            rounds,
        ),
    ]


def _compare(what: str, plain: Callable[[], object], ours: Callable[[], object], target: float, rounds: int) -> Result:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            seconds = interleaved({"plain": plain, "elva": ours}, rounds, warm_up=3)
    finally:
        torch.set_num_threads(threads)
    details = {f"ms {name}": 1e3 * median(times) for name, times in seconds.items()}
    return Result(f"{what}: plain / ours", median_ratio(seconds["plain"], seconds["elva"]), target, True, details)


class _Case(NamedTuple):
    """Random rows and their keys, and the two ways to merge a quarter of them."""

    state: SequenceState
    key_BLD: Tensor
    moves: int

    @classmethod
    def of(cls, rows: int, width: int, keys: int) -> "_Case":
        return cls(_patches(rows, width), torch.randn(1, rows, keys, generator=_seeded(1)), rows // 4)

    def search(self, window: int | None = None) -> Tensor:
        unit = metric(self.state.replace(h=self.key_BLD), None, "raw")
        state = self.state
        return bipartite_matching(unit, state.mergeable, state.kind, torch.tensor([self.moves]), window)

    def merge(self) -> SequenceState:
        return self.state.fold(self.search())

    def plain_search(self) -> tuple[Tensor, Tensor, Tensor]:
        return plain_search(self.key_BLD, self.moves)

    def plain_merge(self) -> tuple[Tensor, Tensor]:
        return plain_merge(self.state.h, self.state.size[..., None], *self.plain_search())


def plain_search(key_BLD: Tensor, moves: int) -> tuple[Tensor, Tensor, Tensor]:
    """ToMe's matching as appendix D of the paper (arXiv 2210.09461) has it: the scores of even rows against odd ones.

    Returns:
        (B, M, 1) even rows that move, (B, S, 1) even rows that stay, (B, M, 1) odd rows that are joined; all long,
        counted within their half.
    """
    unit_BLD = F.normalize(key_BLD, dim=-1)
    scores = unit_BLD[:, ::2] @ unit_BLD[:, 1::2].transpose(1, 2)
    best_BE, partner_BE = scores.max(-1)
    order_BE1 = best_BE.argsort(dim=-1, descending=True)[..., None]
    move_BM1, stay_BS1 = order_BE1[:, :moves], order_BE1[:, moves:]
    return move_BM1, stay_BS1, partner_BE[..., None].gather(1, move_BM1)


def plain_merge(
    x_BLC: Tensor, size_BL1: Tensor, move_BM1: Tensor, stay_BS1: Tensor, into_BM1: Tensor
) -> tuple[Tensor, Tensor]:
    """Features and sizes of the rows that are left: the unmerged even ones first, then the odd ones."""

    def merge(values: Tensor) -> Tensor:
        even, odd, channels = values[:, ::2], values[:, 1::2], values.shape[2]
        stays = even.gather(1, stay_BS1.expand(-1, -1, channels))
        moves = even.gather(1, move_BM1.expand(-1, -1, channels))
        joined = odd.scatter_reduce(1, into_BM1.expand(-1, -1, channels), moves, "sum")
        return torch.cat((stays, joined), 1)

    size_BL1, total_BLC = merge(size_BL1), merge(x_BLC * size_BL1)
    return total_BLC / size_BL1, size_BL1


def _patches(rows: int, width: int) -> SequenceState:
    """A sequence of random patches and nothing else."""
    row_BL, valid_BL = torch.arange(rows)[None], torch.ones(1, rows, dtype=torch.bool)
    return SequenceState(
        h=torch.randn(1, rows, width, generator=_seeded(0)),
        pos=row_BL,
        rank=row_BL,
        size=valid_BL.float(),
        frame=torch.zeros_like(row_BL),
        slot=row_BL,
        kind=torch.full_like(row_BL, int(Kind.PATCH)),
        valid=valid_BL,
        src=SourceMap.identity(valid_BL),
        cell=torch.zeros(1, rows, 2, dtype=torch.long),
    )


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
