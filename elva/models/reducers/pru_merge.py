"""LLaVA-PruMerge: as many patches as stand out, each with its neighbours added.

Legend: B videos, N tokens, T frames, S sites of a frame, K patches kept in a frame, J neighbours, E terms.
"""

import torch
from torch import Tensor

from elva.registry import REDUCERS
from elva.structures import VideoTokens

from .base import ReduceContext, TokenReducer
from .selection import absorb, columns, hand_over, highest, key_cosines, signal
from .sites import Sites


@REDUCERS.register_module()
class PruMerge(TokenReducer):
    """Keeps the patches whose attention stands out in their frame, and adds to each what its key is close to.

    A patch stands out if its attention ``a`` is above ``Q3 + 1.5 (Q3 - Q1)``, the quartiles being those of its frame;
    at least the most attended one is kept. A kept patch becomes ``x_i + sum_j a_j x_j`` over the nearest other patches
    (kept ones among them) by the cosine of keys, and one extra token is ``sum_j a_j x_j`` over all that were dropped:
    weighted sums, not means. The extra token has the place of the most attended of them, its largest term, so that it
    stands in its frame and in raster order (published: last); it also takes over their sizes.

    With ``plus``, patches at even steps through the frame are kept too: every ``floor(floor(1 / rho) / 3)``-th, where
    rho is the share that stands out, but at least every single one.

    Source: LLaVA-PruMerge: Adaptive Token Reduction for Efficient Large Multimodal Models (arXiv 2403.15388), section
    3. The published code takes one share for a batch of images, divides by zero where nothing stands out or rho > 1/3,
    and computes class attention from queries and keys as a single wide head; here each frame has its own share, both
    cases are cut off, and attention is the tokenizer's.

    Args:
        plus: PruMerge+. Default: False.
        neighbours: Patches added to each that is kept. Default: 32.
    """

    requires = frozenset({"attn", "keys"})
    adaptive = True
    causal = True

    def __init__(self, plus: bool = False, neighbours: int = 32) -> None:
        super().__init__()
        self.plus, self.neighbours = plus, neighbours

    def forward(self, tokens: VideoTokens, context: ReduceContext) -> VideoTokens:
        """Keep what stands out of each frame, and one token more."""
        del context
        attn, keys = signal(self, tokens, "attn"), signal(self, tokens, "keys")
        sites = Sites.of(tokens)
        attn_BTS = sites.take(attn)
        kept_BTS = outstanding(attn_BTS, sites.there_BTS)
        if self.plus:
            kept_BTS = kept_BTS | evenly_spaced(kept_BTS, sites.there_BTS)
        dropped_BTS = sites.there_BTS & ~kept_BTS
        extra_BTS = highest(attn_BTS, dropped_BTS, torch.ones_like(sites.stream_BT))
        into, src = _sum_up(sites, dropped_BTS & ~extra_BTS, extra_BTS)
        near_into, near_src = self._neighbours(sites, sites.take(keys), kept_BTS)
        dst_BE, src_BE = torch.cat((into, near_into), 1), torch.cat((src, near_src), 1)
        own_BN = torch.where(sites.mark(extra_BTS, tokens), attn, 1)
        keep_BN = sites.stays(kept_BTS | extra_BTS, tokens)
        return absorb(hand_over(tokens, into, src), keep_BN, own_BN, dst_BE, src_BE, attn.gather(1, src_BE))

    def _neighbours(self, sites: Sites, keys_BTSC: Tensor, kept_BTS: Tensor) -> tuple[Tensor, Tensor]:
        """(B, E) kept tokens, and (B, E) one of the nearest others of each; -1 for no token."""
        column_BTK, there_BTK = columns(kept_BTS)
        cosine_BTKS = key_cosines(keys_BTSC, column_BTK)
        own_BTKS = column_BTK[..., None] == torch.arange(cosine_BTKS.shape[3], device=column_BTK.device)
        fits_BTKS = there_BTK[..., None] & sites.there_BTS[:, :, None] & ~own_BTKS
        cosine_BTKS = cosine_BTKS.masked_fill(~fits_BTKS, -torch.inf)
        cosine_BTKJ, near_BTKJ = cosine_BTKS.topk(min(self.neighbours, cosine_BTKS.shape[3]), dim=3)
        into_BTK1 = sites.at_BTS.gather(2, column_BTK)[..., None]
        src_BTKJ = sites.at_BTS.gather(2, near_BTKJ.flatten(2)).view_as(near_BTKJ)
        return torch.where(cosine_BTKJ.isfinite(), into_BTK1, -1).flatten(1), src_BTKJ.flatten(1)


def outstanding(attn_BTS: Tensor, there_BTS: Tensor) -> Tensor:
    """(B, T, S) bool: attention above ``Q3 + 1.5 (Q3 - Q1)`` of the frame; the highest alone if there is none."""
    here_BTS = attn_BTS.detach().masked_fill(~there_BTS, torch.nan)
    low_BT1, high_BT1 = here_BTS.nanquantile(here_BTS.new_tensor([0.25, 0.75]), dim=2)[..., None]
    outlier_BTS = there_BTS & (attn_BTS > high_BT1 + 1.5 * (high_BT1 - low_BT1))
    none_BT = ~outlier_BTS.any(2)
    return outlier_BTS | highest(attn_BTS, there_BTS, none_BT.long())


def evenly_spaced(kept_BTS: Tensor, there_BTS: Tensor) -> Tensor:
    """(B, T, S) bool: patches at a third of the mean distance of the kept ones, without the last of the frame."""
    number_BT1, kept_BT1 = there_BTS.sum(2, keepdim=True), kept_BTS.sum(2, keepdim=True)
    step_BT1 = (number_BT1 // kept_BT1.clamp(min=1) // 3).clamp(min=1)
    nth_BTS = there_BTS.cumsum(2) - 1
    return there_BTS & (nth_BTS % step_BT1 == 0) & (nth_BTS < number_BT1 - 1)


def _sum_up(sites: Sites, some_BTS: Tensor, into_BTS: Tensor) -> tuple[Tensor, Tensor]:
    """(B, E) for each of ``some_BTS`` the one token of ``into_BTS`` in its frame, -1 for others; (B, E) its own."""
    into_BT1 = sites.at_BTS.gather(2, into_BTS.byte().argmax(2, keepdim=True))
    return torch.where(some_BTS, into_BT1, -1).flatten(1), sites.at_BTS.flatten(1)
