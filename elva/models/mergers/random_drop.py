"""Dropping at random: what every other way of choosing rows has to beat.

Legend: B batch, L rows.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from elva.models.attention.view import AttnView
from elva.registry import MERGERS
from elva.structures import SequenceState

from .base import Merger, Site, When, check_layers
from .ranking import keep_best, rows_by_layer
from .similarity import check_ratio, rows_left, visual_rows


@MERGERS.register_module()
class RandomDrop(Merger):
    """Drops visual rows at random.

    Chance is a hash of the seed, the layer and the row's original position: a sample loses the same rows whatever
    batch it is in, on any device, as often as it is run. In training mode the seed is drawn anew at each call, as
    dropout does; else a model would learn which places are never there.

    Args:
        layers: Drop before the attention of these layers. Default: (2,), where FastV's rows are gone too.
        ratio: Share of the visual rows of now that is dropped at each. Default: 0.5.
        seed: Of the choice in evaluation mode; repeat with others for an error bar. Default: 0.

    Raises:
        ValueError: If ``ratio`` is not in [0, 0.99].
    """

    identity = ({"ratio": 0.0},)

    def __init__(self, layers: Sequence[int] = (2,), ratio: float = 0.5, seed: int = 0) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.ratio = check_ratio("RandomDrop", ratio, most=0.99)
        self.seed = seed

    def sites(self, depth: int) -> Sequence[tuple[int, When]]:
        """Before the attention of each of ``layers``."""
        check_layers("RandomDrop", self.layers, depth)
        return [(layer, "pre_attn") for layer in self.layers]

    def forward(self, state: SequenceState, site: Site, attn: AttnView | None = None) -> SequenceState:
        """Drop ``ratio`` of the visual rows of now."""
        del attn
        if self.ratio == 0:
            return state
        seed = int(torch.randint(2**31, ())) if self.training else self.seed
        chance_BL = noise(state.pos, seed * 1009 + site.layer)
        return state.select(keep_best(state, chance_BL, rows_left(visual_rows(state), self.ratio)))

    def schedule(self, n_visual: int, depth: int) -> list[int]:
        """Each of ``layers`` takes its share of what the one before it left."""
        return rows_by_layer(self.layers, self.ratio, n_visual, depth)


def noise(number_BL: Tensor, seed: int) -> Tensor:
    """(B, L) float32 in [0, 1]: an even hash of whole numbers of at least 0, the same on every device.

    The mixing steps of a common 32-bit integer hash; products overflow, of which the low 32 bits are right.
    """
    x_BL = number_BL + (seed * 0x9E3779B9 & 0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        x_BL = x_BL & 0xFFFFFFFF
        x_BL = (x_BL ^ (x_BL >> shift)) * factor
    return x_BL.float() / 2**32
