"""Several reducers as one."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from elva.registry import REDUCERS
from elva.structures import VideoTokens

from .base import ReduceContext, TokenReducer
from .chain import check_grids


@REDUCERS.register_module()
class Compose(TokenReducer):
    """Reducers in their order, where one is expected: a preset of a published combination, a member of a sweep.

    What it requires, needs and keeps follows from its parts.

    Args:
        reducers: Configs of the reducers (``REDUCERS``), or reducers.
        in_channels: Width of the tokens, handed to the parts that take it. Default: they are not given one.

    Raises:
        ValueError: If a part needs the grid that one before it breaks.
    """

    identity = ({"reducers": ()},)

    def __init__(self, reducers: Sequence[Mapping[str, Any] | TokenReducer], in_channels: int | None = None) -> None:
        super().__init__()
        offered = {} if in_channels is None else {"in_channels": in_channels}
        parts: list[TokenReducer] = [
            part if isinstance(part, TokenReducer) else REDUCERS.build_with(dict(part), **offered) for part in reducers
        ]
        check_grids(parts)
        self.reducers = nn.ModuleList(parts)
        self.requires = frozenset[str]().union(*(part.requires for part in parts))
        self.needs_grid = any(part.needs_grid for part in parts)
        self.keeps_grid = all(part.keeps_grid for part in parts)
        self.adaptive = any(part.adaptive for part in parts)
        self.causal = all(part.causal for part in parts)

    def forward(self, tokens: VideoTokens, context: ReduceContext) -> VideoTokens:
        """What the last of them returns."""
        for reducer in self.reducers:
            tokens = reducer(tokens, context)
        return tokens
