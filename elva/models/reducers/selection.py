"""What the reducers that choose among the patches of each frame share.

They see the patches alone, by their :class:`~elva.models.reducers.sites.Sites`. ``FRAME`` and ``LINE`` tokens are not
among them and stay as they are: a ``LINE`` sums up a whole row, which a choice among its patches does not replace.
Numbers and shares are of patches.

Legend: B videos, N tokens, M tokens afterwards, T frames, S sites of a frame, K columns of it, E terms, C channels.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from elva.models.mergers.similarity import most_similar
from elva.structures import VideoTokens

from .base import TokenReducer


def signal(reducer: TokenReducer, tokens: VideoTokens, name: str) -> Tensor:
    """``tokens.attn`` or ``tokens.keys``.

    Raises:
        ValueError: If the tokenizer was not asked for it.
    """
    values: Tensor | None = getattr(tokens, name)
    if values is None:
        raise ValueError(
            f"{type(reducer).__name__} chooses by tokens.{name}, and these tokens have none. Ask the tokenizer for it: "
            f"tokenizer(clips, signals=['{name}']), as VideoLLM does of tokenizers that offer it."
        )
    return values


def highest(score_BTS: Tensor, among_BTS: Tensor, count_BT: Tensor) -> Tensor:
    """(B, T, S) bool: the ``count_BT`` highest scores of each frame among some sites; the earlier wins a tie."""
    score_BTS = score_BTS.detach().float().masked_fill(~among_BTS, -torch.inf)
    return most_similar(score_BTS.flatten(0, 1), count_BT.flatten()).view_as(among_BTS)


def columns(some_BTS: Tensor) -> tuple[Tensor, Tensor]:
    """(B, T, K) long, the columns that are true in each frame, in order; (B, T, K) bool, false beyond their number."""
    most = max(1, int(some_BTS.sum(2).max()))
    column_BTK = (~some_BTS).byte().argsort(dim=2, stable=True)[..., :most]
    return column_BTK, some_BTS.gather(2, column_BTK)


@torch.no_grad()
def key_cosines(keys_BTSC: Tensor, column_BTK: Tensor) -> Tensor:
    """(B, T, K, S) cosines of the keys in some columns with all the keys of their frame, in float32."""
    unit_BTSC = F.normalize(keys_BTSC.float(), dim=-1)
    chosen_BTKC = unit_BTSC.gather(2, column_BTK[..., None].expand(-1, -1, -1, unit_BTSC.shape[3]))
    with torch.autocast(unit_BTSC.device.type, enabled=False):
        return chosen_BTKC @ unit_BTSC.transpose(2, 3)


def mean_weights(size_BE: Tensor, dst_BE: Tensor, length: int) -> Tensor:
    """(B, E) each term's share by size of the terms of its destination; 0 where that is -1."""
    at_BE = torch.where(dst_BE >= 0, dst_BE, length)
    total_BN = size_BE.new_zeros(len(size_BE), length + 1).scatter_add(1, at_BE, size_BE)
    tiny = torch.finfo(size_BE.dtype).tiny
    return (size_BE / total_BN.gather(1, at_BE).clamp(min=tiny)).masked_fill(dst_BE < 0, 0)


def hand_over(tokens: VideoTokens, dst_BE: Tensor, src_BE: Tensor) -> VideoTokens:
    """Add the sizes and the attention of the tokens ``src_BE`` to those of ``dst_BE`` (-1: to none)."""

    def add(values_BN: Tensor) -> Tensor:
        given_BE = values_BN.gather(1, src_BE).masked_fill(dst_BE < 0, 0)
        return values_BN.scatter_add(1, dst_BE.clamp(min=0), given_BE)

    return tokens.replace(size=add(tokens.size), attn=None if tokens.attn is None else add(tokens.attn))


def absorb(
    tokens: VideoTokens, keep_BN: Tensor, own_BN: Tensor, dst_BE: Tensor, src_BE: Tensor, weight_BE: Tensor
) -> VideoTokens:
    """Keep some tokens in their order, each ``own_BN`` times itself plus weighted others.

    Args:
        tokens: The tokens.
        keep_BN: (B, N) bool, a part of the valid ones.
        own_BN: (B, N) float, the weight of a token in itself.
        dst_BE: (B, E) long, the kept token that a term goes into; -1 for none.
        src_BE: (B, E) long, the token that it takes.
        weight_BE: (B, E) float, its weight.
    """
    count_B = keep_BN.sum(1)
    anchor_BM = (~keep_BN).byte().argsort(dim=1, stable=True)[:, : int(count_B.max())]
    valid_BM = torch.arange(anchor_BM.shape[1], device=anchor_BM.device) < count_B[:, None]
    new_BN = (keep_BN.cumsum(1) - 1).masked_fill(~keep_BN, -1)
    goes_BE = torch.where(dst_BE >= 0, new_BN.gather(1, dst_BE.clamp(min=0)), -1)
    return tokens.combine(
        anchor_BM.masked_fill(~valid_BM, 0),
        valid_BM,
        torch.cat((new_BN.gather(1, anchor_BM), goes_BE), 1),
        torch.cat((anchor_BM, src_BE), 1),
        torch.cat((own_BN.gather(1, anchor_BM), weight_BE), 1),
    )
