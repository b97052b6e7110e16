"""VisionZip: dominant patches by attention, contextual ones by key.

Legend: B videos, N tokens, T frames, S sites of a frame, K targets of a frame, E = T * S terms.
"""

import torch
from torch import Tensor

from elva.registry import REDUCERS
from elva.structures import VideoTokens

from .base import ReduceContext, TokenReducer
from .selection import absorb, columns, hand_over, highest, key_cosines, mean_weights, signal
from .sites import Sites


@REDUCERS.register_module()
class VisionZip(TokenReducer):
    """Keeps the most attended patches of each frame, and sums the rest up in a few contextual tokens.

    Of the R patches that are not dominant every ``floor(R / contextual)``-th is a target; each of the others goes to
    the target with the most similar key. A contextual token is its target plus the mean of what went to it, so its
    weights add up to 2, as in the published code.

    Both numbers count patches, and are cut to what a frame has. The published ``dominant`` counts the class token as
    well, whose part ``FRAME`` plays here: 191 there is 190 here, and the published 54 + 10 are these defaults.

    Source: VisionZip: Longer is Better but Not Necessary in Vision Language Models (arXiv 2412.04467), section 3. The
    published code divides by zero if ``contextual`` is 0; here that keeps the dominant patches alone.

    Args:
        dominant: Patches kept in each frame by attention. Default: 53.
        contextual: Tokens that the other patches are summed up in. Default: 10.

    Raises:
        ValueError: If there are negative ones, or none at all.
    """

    requires = frozenset({"attn", "keys"})
    causal = True
    identity = ({"dominant": 2**31},)

    def __init__(self, dominant: int = 53, contextual: int = 10) -> None:
        super().__init__()
        if dominant < 0 or contextual < 0 or dominant + contextual == 0:
            raise ValueError(
                f"VisionZip: dominant={dominant}, contextual={contextual} patches a frame: give at least 1"
            )
        self.dominant, self.contextual = dominant, contextual

    def forward(self, tokens: VideoTokens, context: ReduceContext) -> VideoTokens:
        """Keep at most ``dominant + contextual`` patches of each frame."""
        del context
        attn, keys = signal(self, tokens, "attn"), signal(self, tokens, "keys")
        sites = Sites.of(tokens)
        many_BT = torch.full_like(sites.stream_BT, self.dominant)
        dominant_BTS = highest(sites.take(attn), sites.there_BTS, many_BT)
        target_BTS = every_so_often(sites.there_BTS & ~dominant_BTS, self.contextual)
        kept_BTS = dominant_BTS | target_BTS
        dst_BE = self._targets(sites, keys, kept_BTS, target_BTS)
        src_BE = sites.at_BTS.flatten(1)
        weight_BE = mean_weights(tokens.size.gather(1, src_BE), dst_BE, tokens.x.shape[1])
        tokens = hand_over(tokens, dst_BE, src_BE)
        keep_BN = sites.stays(kept_BTS, tokens)
        return absorb(tokens, keep_BN, torch.ones_like(tokens.size), dst_BE, src_BE, weight_BE)

    def _targets(self, sites: Sites, keys_BNC: Tensor, kept_BTS: Tensor, target_BTS: Tensor) -> Tensor:
        """(B, E) the token that each site is added to; -1 if none."""
        column_BTK, there_BTK = columns(target_BTS)
        cosine_BTKS = key_cosines(sites.take(keys_BNC), column_BTK).masked_fill(~there_BTK[..., None], -2)
        nearest_BTS = column_BTK.gather(2, cosine_BTKS.argmax(2))
        joins_BTS = sites.there_BTS & ~kept_BTS & target_BTS.any(2, keepdim=True)
        return torch.where(joins_BTS, sites.at_BTS.gather(2, nearest_BTS), -1).flatten(1)


def every_so_often(rest_BTS: Tensor, count: int) -> Tensor:
    """(B, T, S) bool: ``count`` of the true ones of each frame (or all), ``floor(number / count)`` apart."""
    number_BT1 = rest_BTS.sum(2, keepdim=True)
    count_BT1 = number_BT1.clamp(max=count)
    step_BT1 = (number_BT1 // count_BT1.clamp(min=1)).clamp(min=1)
    nth_BTS = rest_BTS.cumsum(2) - 1
    return rest_BTS & (nth_BTS % step_BT1 == 0) & (nth_BTS // step_BT1 < count_BT1)
