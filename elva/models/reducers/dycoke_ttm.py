"""DyCoke's temporal token merging: of four frames one is whole, of the others only what changed is kept.

Legend: B videos, T frames, S sites of a frame.
"""

import torch

from elva.models.mergers.similarity import check_ratio
from elva.registry import REDUCERS
from elva.structures import VideoTokens

from .base import ReduceContext, TokenReducer
from .selection import highest
from .sites import Sites, similarity


@REDUCERS.register_module()
class DyCokeTTM(TokenReducer):
    """Prunes three of every four frames to the sites that are least similar to those of an earlier frame.

    In windows of four frames the second is compared with the first, the fourth with the third and the third with the
    first, always whole frames; of each the ``floor((1 - ratio) N)`` least similar sites are kept, in raster order
    (published: in order of similarity). Frames of different sizes form windows of their own. A window that is cut off
    by the end of the video is pruned in the same way as far as it goes.

    Source: DyCoke: Dynamic Compression of Tokens for Fast Video Large Language Models (arXiv 2411.15024), section 3.2.
    The other half of the method, which reads a part of the cache in decoding, is the merger ``DyCokeCache``.
    The published code leaves out the third frame of the last window, which ``published`` reproduces; it also loses the
    last frame of an odd number, which nothing here does.

    Args:
        ratio: Share of the patches that three of four frames lose. Default: 0.7.
        published: Leave the third frame of the last four whole, as the published code does (it then depends on what is
            still to come, so it is not ``causal``). Default: False.

    Raises:
        ValueError: If ``ratio`` is not in [0, 1].
    """

    causal = True
    identity = ({"ratio": 0.0},)

    def __init__(self, ratio: float = 0.7, published: bool = False) -> None:
        super().__init__()
        self.ratio, self.published = check_ratio("DyCokeTTM", ratio, most=1), published
        self.causal = not published

    def forward(self, tokens: VideoTokens, context: ReduceContext) -> VideoTokens:
        """Keep whole frames, and what changed in the others."""
        del context
        sites = Sites.of(tokens)
        place_BT = sites.ordinal_BT % 4
        back_BT = torch.tensor([0, 1, 2, 1], device=place_BT.device)[place_BT]
        if self.published:
            number_BT = (sites.stream_BT[:, :, None] == sites.stream_BT[:, None, :]).sum(2)
            last_BT = sites.ordinal_BT - place_BT + 4 >= number_BT
            back_BT = back_BT.masked_fill(last_BT & (place_BT == 2), 0)
        likeness_BTS = similarity(tokens, sites, sites.earlier(back_BT))
        patches_BT = sites.there_BTS.sum(2)
        fewer_BT = ((1 - self.ratio) * patches_BT.double() + 1e-6).floor().long()
        count_BT = torch.where(back_BT > 0, fewer_BT, patches_BT)
        return tokens.select(sites.stays(highest(-likeness_BTS, sites.there_BTS, count_BT), tokens))
