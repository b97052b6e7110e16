"""Whether reducers and a merger fit together, asked once when a model is built."""

from collections.abc import Iterable

from torch import nn

from elva.models.mergers.base import Merger
from elva.models.tokenizers.base import VideoTokenizer
from elva.registry import TOKENIZERS

from .base import TokenReducer

_OFFERED = ("attn", "keys")
"""Signals that come from the tokenizer; the others come from the batch."""


def signals(reducers: Iterable[TokenReducer]) -> frozenset[str]:
    """What a tokenizer must give beside the tokens for these reducers."""
    required = frozenset[str]().union(*(reducer.requires for reducer in reducers))
    return required.intersection(_OFFERED)


def check_chain(tokenizer: VideoTokenizer, reducers: Iterable[TokenReducer], merger: Merger | None = None) -> None:
    """Raise ``ValueError`` if a part needs what those before it do not leave or give.

    Args:
        tokenizer: Makes the tokens.
        reducers: In their order.
        merger: Inside the language model. Default: none.
    """
    reducers = list(reducers)
    for reducer in reducers:
        missing = signals([reducer]) - tokenizer.offers
        if missing:
            able = [name for name in TOKENIZERS.names() if missing <= TOKENIZERS.get(name).offers]
            raise ValueError(
                f"{_name(reducer)} needs the {' and '.join(sorted(missing))} of the tokenizer, which "
                f"{_name(tokenizer)} does not offer. Tokenizers that do: {', '.join(able) or 'none'}."
            )
    parts: list[TokenReducer | Merger] = [*reducers] if merger is None else [*reducers, merger]
    check_grids(parts, None if tokenizer.makes_grid else tokenizer)


def check_grids(parts: Iterable[TokenReducer | Merger], broken: nn.Module | None = None) -> None:
    """Raise ``ValueError`` if a part needs the grid that one before it does not leave.

    Args:
        parts: In their order.
        broken: What leaves holes before the first of them. Default: nothing.
    """
    for part in parts:
        if part.needs_grid and broken is not None:
            movable = isinstance(part, TokenReducer) and isinstance(broken, TokenReducer)
            advice = f"Put {_name(part)} first, or take one of them out" if movable else "Take one of them out"
            raise ValueError(
                f"{_name(part)} needs frames with all the tokens of their grid, but {_name(broken)} before it leaves "
                f"holes. {advice}."
            )
        if isinstance(part, TokenReducer) and not part.keeps_grid:
            broken = part


def _name(part: object) -> str:
    return type(part).__name__
