"""No merging: what every merger is measured against."""

from collections.abc import Sequence

from elva.models.attention.view import AttnView
from elva.registry import MERGERS
from elva.structures import SequenceState

from .base import Merger, Site, When


@MERGERS.register_module()
class NoMerge(Merger):
    """Leaves every row where it is; it has no site, so it costs nothing."""

    identity = ({},)

    def sites(self, depth: int) -> Sequence[tuple[int, When]]:
        """None."""
        del depth
        return []

    def forward(self, state: SequenceState, site: Site, attn: AttnView | None = None) -> SequenceState:
        """Return ``state``."""
        del site, attn
        return state

    def schedule(self, n_visual: int, depth: int) -> list[int]:
        """``n_visual`` rows in every layer."""
        return [n_visual] * depth
