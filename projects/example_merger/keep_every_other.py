"""A merger of one's own: from the middle layer on, every other patch is gone."""

from collections.abc import Sequence

from elva.models.attention import AttnView
from elva.models.mergers import Merger, Site, When
from elva.registry import MERGERS
from elva.structures import SequenceState


@MERGERS.register_module()
class KeepEveryOther(Merger):
    """Drops the visual rows with an odd position; text and ``<FRAME>`` rows stay."""

    def sites(self, depth: int) -> Sequence[tuple[int, When]]:
        return [(depth // 2, "pre_attn")]

    def forward(self, state: SequenceState, site: Site, attn: AttnView | None = None) -> SequenceState:
        return state.select(~state.mergeable | (state.pos % 2 == 0))
