"""What every reducer promises.

Legend: V videos, T text ids, C channels.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from elva.structures import Clip, VideoTokens


@dataclass(frozen=True)
class ReduceContext:
    """What a reducer may look at beside the tokens.

    Attributes:
        text_VTC: (V, T, C) embeddings of the text that each video belongs to, or None.
        text_valid_VT: (V, T) bool, false on padding and where a video stands.
        clips: The clips that the tokens were made from, pixels as the tokenizer took them.
        denormalise: From such pixels to RGB in [0, 1].
    """

    text_VTC: Tensor | None = None
    text_valid_VT: Tensor | None = None
    clips: Sequence[Clip] = ()
    denormalise: Callable[[Tensor], Tensor] | None = None


class TokenReducer(nn.Module):
    """Shortens the visual tokens before the language model.

    A reducer is written in the verbs of the tokens, ``select``, ``fold`` and ``combine``; they keep every field in
    step. ``FRAME`` tokens stay, kinds do not mix, tokens keep their order in time and through the frame, and a video
    comes out of a batch as it does alone. :data:`elva.testing.REDUCER_CONTRACT` tests all of it.

    Attributes:
        requires: What it must be given: ``'attn'`` and ``'keys'`` of the tokenizer (see :class:`VideoTokens`),
            ``'text'`` and ``'clips'`` of the context. Default: nothing.
        needs_grid: Whether every frame must still have all the tokens of its grid. Default: False.
        keeps_grid: Whether every frame has all the tokens of its (perhaps coarser) grid afterwards. Default: False.
        adaptive: Whether the number of tokens depends on what they show. Default: False, on their number alone.
        causal: Whether the tokens of a frame depend on nothing later, so that a stream can be reduced as it comes.
            Default: False.
        identity: Settings, each of them a set of arguments, under which it does nothing at all. Default: none known.
    """

    requires: frozenset[str] = frozenset()
    needs_grid: bool = False
    keeps_grid: bool = False
    adaptive: bool = False
    causal: bool = False
    identity: ClassVar[Sequence[Mapping[str, Any]]] = ()

    @abstractmethod
    def forward(self, tokens: VideoTokens, context: ReduceContext) -> VideoTokens:
        """Return fewer tokens, whose ``src`` still maps from the tokenizer's rows.

        Raises:
            ValueError: If something of ``requires`` is not there.
        """
