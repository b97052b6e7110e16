"""Text ids and visual tokens become one sequence, one row a token.

Legend: B samples, T text ids, V videos, N visual tokens, L rows of the sequence, C channels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from elva.structures import ASKS, PAD_RANK, Kind, SequenceState, SourceMap, VideoTokens


@dataclass(frozen=True)
class Placement:
    """Where each visual token was put.

    Attributes:
        sample: (V,) long, the sample that the video belongs to.
        row: (V, N) long, the assembled row of each token; -1 for padding.
    """

    sample: Tensor
    row: Tensor

    def recover(self, state: SequenceState, tokens: VideoTokens) -> VideoTokens:
        """``tokens`` with the hidden state of the row that each became part of; invalid where it was dropped."""
        dst_VN = state.src.dst[self.sample].gather(1, self.row.clamp(min=0))
        valid_VN = tokens.valid & (self.row >= 0) & (dst_VN >= 0)
        return tokens.replace(x=state.h[self.sample[:, None], dst_VN.clamp(min=0)], valid=valid_VN)


@dataclass(frozen=True)
class Assembly:
    """A sequence ready for the language model.

    Attributes:
        state: The sequence.
        text_row: (B, T) long, the row of each text id; that of a video's placeholder is the video's first row.
        placement: Where the visual tokens are; None without any.
    """

    state: SequenceState
    text_row: Tensor
    placement: Placement | None

    def targets(self, labels_BT: Tensor, ignore: int = -100) -> Tensor:
        """(B, L) what each row is to predict: the label of the text that follows it, ``ignore`` elsewhere."""
        out = labels_BT.new_full((labels_BT.shape[0], self.state.h.shape[1] + 1), ignore)
        told = (labels_BT != ignore) & (self.text_row > 0)  # nothing stands before the first row to predict it
        out.scatter_(1, torch.where(told, self.text_row - 1, self.state.h.shape[1]), labels_BT)
        return out[:, :-1]

    def asking(self, labels_BT: Tensor, ignore: int = -100) -> SequenceState:
        """The state, and in its memo the rows that answers follow: mergers that heed the question may not see more."""
        told_BL = self.targets(labels_BT, ignore) != ignore
        asks_BL = told_BL & ~F.pad(told_BL, (1, 0))[:, :-1]
        return self.state.replace(memo={**self.state.memo, ASKS: asks_BL})


def assemble(
    embed: Callable[[Tensor], Tensor],
    ids_BT: Tensor,
    valid_BT: Tensor,
    tokens: VideoTokens | None,
    video_id: int,
    frame_mask: str = "causal",
    start_B: Tensor | None = None,
) -> Assembly:
    """Put each video's tokens in the place of its placeholder.

    Args:
        embed: Gives the embeddings (..., C) of token ids.
        ids_BT: (B, T) text ids, padded on the right; the videos of a batch stand for its placeholders in order.
        valid_BT: (B, T) bool.
        tokens: The tokens of all V videos of the batch; None if there are none.
        video_id: The placeholder's id.
        frame_mask: ``'causal'``, or ``'bidirectional'``: the tokens of one frame see each other.
        start_B: (B,) long, position of the first row, for rows that continue a cache. Default: 0.

    Raises:
        ValueError: If the number of placeholders is not the number of videos.
    """
    if frame_mask not in ("causal", "bidirectional"):
        raise ValueError(f"frame_mask='{frame_mask}': use 'causal' or 'bidirectional'")
    place_BT = (ids_BT == video_id) & valid_BT
    count = int(place_BT.sum())
    if count != (0 if tokens is None else len(tokens.x)):
        raise ValueError(f"The text of this batch has {count} video placeholders, but {_videos(tokens)} videos came")
    width_BT = valid_BT.long()
    if tokens is not None:
        width_BT = width_BT.masked_scatter(place_BT, tokens.valid.sum(1))
    end_BT = width_BT.cumsum(1)
    first_BT = end_BT - width_BT
    lengths = end_BT[:, -1].tolist()
    length, padded = max(lengths), min(lengths) != max(lengths)

    rows_BL = torch.arange(length, device=ids_BT.device).expand(len(ids_BT), -1)
    valid_BL = rows_BL < end_BT[:, -1:]
    pos_BL = rows_BL if start_B is None else rows_BL + start_B[:, None]
    text_BT = torch.where(valid_BT & ~place_BT, first_BT, length)  # row `length` is cut off again
    h = _scatter_text(embed(ids_BT.masked_fill(place_BT, 0)), text_BT, length)
    state = SequenceState(
        h=h,
        pos=pos_BL.masked_fill(~valid_BL, 0),
        rank=pos_BL.masked_fill(~valid_BL, PAD_RANK),
        size=valid_BL.float(),
        frame=torch.full_like(rows_BL, -1),
        slot=torch.full_like(rows_BL, -1),
        kind=torch.where(valid_BL, int(Kind.TEXT), int(Kind.PAD)),
        valid=valid_BL,
        src=SourceMap.identity(valid_BL),
        padded=padded,
        cell=torch.full((*rows_BL.shape, 2), -1, device=ids_BT.device),
    )
    if tokens is None:
        return Assembly(state, first_BT, None)
    sample_V, column_V = place_BT.nonzero(as_tuple=True)
    placement = _place(tokens, sample_V, first_BT[sample_V, column_V])
    state = _insert(state, tokens, placement)
    return Assembly(_two_way(state) if frame_mask == "bidirectional" else state, first_BT, placement)


def _videos(tokens: VideoTokens | None) -> int:
    return 0 if tokens is None else len(tokens.x)


def _scatter_text(x_BTC: Tensor, row_BT: Tensor, length: int) -> Tensor:
    out = x_BTC.new_zeros(x_BTC.shape[0], length + 1, x_BTC.shape[2])
    return out.scatter(1, row_BT[..., None].expand_as(x_BTC), x_BTC)[:, :length]


def _place(tokens: VideoTokens, sample_V: Tensor, first_V: Tensor) -> Placement:
    nth_VN = tokens.valid.cumsum(1) - 1
    return Placement(sample_V, (first_V[:, None] + nth_VN).masked_fill(~tokens.valid, -1))


def _insert(state: SequenceState, tokens: VideoTokens, placement: Placement) -> SequenceState:
    """Write the visual tokens, and their description, into the rows kept for them."""
    sample = placement.sample[:, None].expand_as(placement.row)[tokens.valid]
    row = placement.row[tokens.valid]
    frame, slot = (_apart(value, placement.sample)[tokens.valid] for value in (tokens.frame, tokens.slot))

    def put(field: Tensor, values: Tensor) -> Tensor:
        return field.index_put((sample, row), values.to(field.dtype))

    assert state.cell is not None
    return state.replace(
        h=put(state.h, tokens.x[tokens.valid]),
        size=put(state.size, tokens.size[tokens.valid]),
        frame=put(state.frame, frame),
        slot=put(state.slot, slot),
        kind=put(state.kind, tokens.kind[tokens.valid]),
        cell=put(state.cell, tokens.cell[tokens.valid]),
    )


def _apart(index_VN: Tensor, sample_V: Tensor) -> Tensor:
    """Number frames (or slots) through the videos of a sample, so that two videos never share one."""
    span_V = index_VN.amax(1) + 1
    total_V = span_V.cumsum(0) - span_V
    first_V = torch.searchsorted(sample_V, sample_V)  # samples come in order: the first video of each one's own
    offset_V = total_V - total_V[first_V]
    return torch.where(index_VN >= 0, index_VN + offset_V[:, None], -1)


def _two_way(state: SequenceState) -> SequenceState:
    """Give all rows of a frame the rank of its last row: they see each other, and nothing later."""
    frames = int(state.frame.max()) + 1
    at = torch.where(state.frame >= 0, state.frame, frames)
    last = state.rank.new_zeros(len(at), frames + 1).scatter_reduce(1, at, state.rank, "amax")
    rank = torch.where(state.frame >= 0, last.gather(1, at), state.rank)
    return state.replace(rank=rank, rising=False)
