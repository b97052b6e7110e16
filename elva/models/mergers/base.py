"""What every merger promises."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from torch import nn

from elva.models.attention.view import AttnView
from elva.structures import SequenceState

from .cache_selector import CacheSelector

When = Literal["pre_attn", "post_attn", "post_layer"]


class Site(NamedTuple):
    """A place inside the language model: before the attention of a layer, after it, or after the whole layer."""

    layer: int
    when: When


class Merger(nn.Module):
    """Shortens the sequence inside the language model.

    A merger is written in two verbs of the state, ``select`` and ``fold``; they keep every field in step. It never
    merges text or ``FRAME`` rows, nor rows of different kinds, and never changes the order of the surviving rows.

    Some arguments mean the same wherever a merger has them, and :data:`elva.testing.MERGER_CONTRACT` tests them:
    ``ratio``, the share of the visual rows that is taken away; ``streaming``, merged rows get the latest rank of their
    members; ``similarity``, what two rows are compared by, which must not let a huge channel decide.

    A merger that takes ``in_channels`` is given the width of the language model.

    Attributes:
        needs_grid: Whether every frame must still have all the tokens of its grid. Default: False.
        identity: Settings, each of them a set of arguments, under which it does nothing at all. Default: none known.
    """

    needs_grid: bool = False
    identity: ClassVar[Sequence[Mapping[str, Any]]] = ()

    @abstractmethod
    def sites(self, depth: int) -> Sequence[tuple[int, When]]:
        """Where ``forward`` is to be called, for a language model of ``depth`` layers."""

    @abstractmethod
    def forward(self, state: SequenceState, site: Site, attn: AttnView | None = None) -> SequenceState:
        """Return the state with fewer rows (or the same).

        Args:
            state: The rows at ``site``.
            site: One of ``sites(depth)``.
            attn: A view of the layer at that site: its input norm, its keys, single rows of its attention, a place
                to record numbers for the log. Default: none (the merger is used outside a model).
        """

    def schedule(self, n_visual: int, depth: int) -> list[int] | None:
        """Visual rows that enter the attention of each layer, out of ``n_visual``, where that can be known beforehand.

        Returns:
            ``depth`` numbers, or None if they depend on the content. A merger that aims at a share of the rows returns
            what it aims at; what it reached is in the trace.
        """
        del n_visual, depth
        return None

    def cache_selector(self) -> CacheSelector | None:
        """A fresh chooser of the cached rows that decoding reads, for one answer. Default: None, it reads them all."""
        return None


def check_layers(name: str, layers: Sequence[int], depth: int) -> None:
    """Raise ``ValueError`` if a language model of ``depth`` layers has none of the last of ``layers``."""
    if max(layers) >= depth:
        raise ValueError(
            f"{name}: acts at the layers {list(layers)}, but the language model has only {depth} (numbered from 0)"
        )
