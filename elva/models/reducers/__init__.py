"""Token reducers: what shortens the visual tokens before the language model."""

from .base import ReduceContext, TokenReducer
from .chain import check_chain, signals

__all__ = ["ReduceContext", "TokenReducer", "check_chain", "signals"]
