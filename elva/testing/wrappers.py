"""Mergers around a merger: one that notes what it did, and one that shows it only the start of a sequence.

Legend: B batch, L rows, C channels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from elva.models.attention import AttnMask, AttnView
from elva.models.attention.view import Projected
from elva.models.mergers.base import Merger, Site, When
from elva.structures import SequenceState, SourceMap


class Recorder(Merger):
    """Does what ``merger`` does, and keeps the states before and after it in ``calls``."""

    def __init__(self, merger: Merger) -> None:
        super().__init__()
        self.merger = merger
        self.calls: list[tuple[SequenceState, SequenceState]] = []

    def sites(self, depth: int) -> Sequence[tuple[int, When]]:
        """Those of the merger."""
        return self.merger.sites(depth)

    def forward(self, state: SequenceState, site: Site, attn: AttnView | None = None) -> SequenceState:
        """Run the merger and take notes."""
        after = self.merger(state, site, attn)
        self.calls.append((state, after))
        return after


class PrefixOnly(Merger):
    """Lets ``merger`` see, and shorten, only the rows whose position is below ``length``.

    The later rows pass unchanged. So one forward pass over a prompt and its answer does to the prompt what a prefill
    of the prompt alone does, also with a merger that looks at the last row. For batches of one sample.
    """

    def __init__(self, merger: Merger, length: int) -> None:
        super().__init__()
        self.merger = merger
        self.length = length

    def sites(self, depth: int) -> Sequence[tuple[int, When]]:
        """Those of the merger."""
        return self.merger.sites(depth)

    def forward(self, state: SequenceState, site: Site, attn: AttnView | None = None) -> SequenceState:
        """Cut the sequence in two, merge the first part, join them again."""
        assert len(state.h) == 1 and not state.padded
        count = int((state.pos < self.length).sum())
        merged = self.merger(first_rows(state, count), site, first_view(attn, count) if attn else None)
        return join_rows(merged, state, count)


def first_rows(state: SequenceState, count: int) -> SequenceState:
    """The first ``count`` rows of each sample."""
    names = ("h", "pos", "rank", "size", "frame", "slot", "cell", "kind", "valid")
    dst = state.src.dst.masked_fill(state.src.dst >= count, -1)
    src = SourceMap(dst, state.src.weight.masked_fill(dst < 0, 0.0))
    return state.replace(**{name: getattr(state, name)[:, :count] for name in names}, src=src)


def first_view(attn: AttnView, count: int) -> AttnView:
    """What the first ``count`` rows see of themselves."""

    def project() -> Projected:
        q_BHLD, k_BGLD, mask, scale = attn.project()
        q_rank, k_rank, k_valid = (x[:, :count] for x in (mask.q_rank, mask.k_rank, mask.k_valid))
        own = AttnMask(q_rank, k_rank, k_valid, causal=mask.causal, window=mask.window, span=mask.span)
        return q_BHLD[:, :, :count], k_BGLD[:, :, :count], own, scale

    return AttnView(attn.norm, project, attn.record)


def join_rows(head: SequenceState, state: SequenceState, count: int) -> SequenceState:
    """The rows of ``head``, which the first ``count`` rows of ``state`` became, and then the rest of ``state``."""
    shift = head.h.shape[1] - count

    def join(name: str) -> Tensor:
        return torch.cat((getattr(head, name), getattr(state, name)[:, count:]), 1)

    late = state.src.dst >= count
    src = SourceMap(
        torch.where(late, state.src.dst + shift, head.src.dst), torch.where(late, state.src.weight, head.src.weight)
    )
    names = ("h", "pos", "rank", "size", "frame", "slot", "cell", "kind", "valid")
    return head.replace(**{name: join(name) for name in names}, src=src)


def moves(before: SequenceState, after: SequenceState) -> Tensor:
    """(B, L) long: the row of ``after`` that each row of ``before`` became part of; -1 if it was dropped."""
    length = before.h.shape[1]
    out = before.src.dst.new_full((len(before.h), length + 1), -1)
    at = torch.where(before.src.dst >= 0, before.src.dst, length)
    return out.scatter(1, at, after.src.dst)[:, :length]
