"""What every reducer promises."""

from abc import abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from elva.structures import VideoTokens


@dataclass(frozen=True)
class ReduceContext:
    """What a reducer may look at beside the tokens.

    Attributes:
        text_VTC: (V, T, C) embeddings of the question about each video, or None.
        text_valid_VT: (V, T) bool.
    """

    text_VTC: Tensor | None = None
    text_valid_VT: Tensor | None = None


class TokenReducer(nn.Module):
    """Shortens the visual tokens before the language model."""

    @abstractmethod
    def forward(self, tokens: VideoTokens, context: ReduceContext) -> VideoTokens:
        """Return fewer tokens, whose ``src`` still maps from the tokenizer's rows."""
