"""DyCoke's second half: while decoding, later layers read only the visual rows that the new row attends to.

Legend: B batch, K cached rows.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from elva.models.attention.view import AttnView
from elva.registry import MERGERS
from elva.structures import SequenceState

from .base import Merger, Site, When, check_layers
from .cache_selector import CacheSelector
from .ranking import check_ranked
from .similarity import check_ratio, most_similar


@MERGERS.register_module()
class DyCokeCache(Merger):
    """Reads a part of the cache at each decoding step, and changes the part when attention moves on.

    In each step the attention of the new row in layer ``layer - 1``, averaged over heads, is compared with that of the
    step before, over the visual rows. Where their cosine is below ``threshold``, and in the first step, the
    ``floor(n * (1 - ratio))`` of the ``n`` visual rows that get most become the ones that the layers from ``layer`` on
    read, beside all text; otherwise these read the same ones as before. Each sample of a batch decides for itself.

    Source: DyCoke: Dynamic Compression of Tokens for Fast Video Large Language Models (arXiv 2411.15024), the part
    called dynamic KV cache reduction. The published code forgets the chosen rows after every step, so that a step like
    the one before it reads the whole cache; here it goes on reading the chosen ones, as the paper means it.

    The prefill is left to another merger, which may shorten the sequence before ``layer``, behind it, or not at all:
    a later layer reads those of its own rows whose positions were chosen.

    Args:
        layer: The first layer that reads a part. Default: 3.
        ratio: Share of the visual rows that is not read. Default: 0.7.
        threshold: Cosine below which the part is chosen anew. Default: 0.9.
        prefill: Config of a merger for the prefill. Default: none.
        in_channels: Width of the language model, for ``prefill``. Default: none.

    Raises:
        ValueError: If ``ratio`` is not in [0, 1], or ``layer`` is below 1.
    """

    identity = ({},)  # of the prefill

    def __init__(
        self,
        layer: int = 3,
        ratio: float = 0.7,
        threshold: float = 0.9,
        prefill: dict[str, Any] | None = None,
        in_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.layer = check_ranked("DyCokeCache", layer)
        self.ratio = check_ratio("DyCokeCache", ratio, most=1.0)
        self.threshold = threshold
        self.prefill: Merger | None = MERGERS.build_with(prefill, in_channels=in_channels) if prefill else None
        self.needs_grid = self.prefill is not None and self.prefill.needs_grid

    def sites(self, depth: int) -> Sequence[tuple[int, When]]:
        """Those of the prefill's merger."""
        check_layers("DyCokeCache", [self.layer], depth)
        return self.prefill.sites(depth) if self.prefill is not None else []

    def forward(self, state: SequenceState, site: Site, attn: AttnView | None = None) -> SequenceState:
        """What the prefill's merger does."""
        out: SequenceState = self.prefill(state, site, attn) if self.prefill is not None else state
        return out

    def schedule(self, n_visual: int, depth: int) -> list[int] | None:
        """That of the prefill's merger."""
        return self.prefill.schedule(n_visual, depth) if self.prefill is not None else [n_visual] * depth

    def cache_selector(self) -> CacheSelector | None:
        """Of one answer; none at ratio 0."""
        return MovingFocus(self.layer - 1, self.ratio, self.threshold) if self.ratio > 0 else None


class MovingFocus(CacheSelector):
    """Keeps its choice until the attention over the visual rows turns away; see :class:`DyCokeCache`."""

    def __init__(self, layer: int, ratio: float, threshold: float) -> None:
        self.layer = layer
        self.ratio = ratio
        self.threshold = threshold
        self._before: Tensor | None = None
        self._kept: Tensor | None = None

    def choose(self, weights_BK: Tensor, visual_BK: Tensor) -> Tensor:
        weights_BK = weights_BK.masked_fill(~visual_BK, 0.0)
        best_BK = most_attended(weights_BK, visual_BK, self.ratio)
        if self._before is not None and self._kept is not None:
            new = (0, weights_BK.shape[1] - self._before.shape[1])
            moved_B = F.cosine_similarity(weights_BK, F.pad(self._before, new)) < self.threshold
            best_BK = torch.where(moved_B[:, None], best_BK, F.pad(self._kept, new))
        self._before, self._kept = weights_BK, best_BK
        return best_BK


def most_attended(weights_BK: Tensor, visual_BK: Tensor, ratio: float) -> Tensor:
    """(B, K) bool: the ``floor(n * (1 - ratio))`` of each sample's n visual rows with the largest weights."""
    count_B = ((1 - ratio) * visual_BK.sum(1).double() + 1e-6).floor()  # 0.1 * 10 rows are 1 row, not 0
    return most_similar(weights_BK.masked_fill(~visual_BK, float("-inf")), count_B)
