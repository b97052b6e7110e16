"""Token reducers: what shortens the visual tokens before the language model."""

from .base import ReduceContext, TokenReducer

__all__ = ["ReduceContext", "TokenReducer"]
