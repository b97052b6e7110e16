"""What every video tokenizer promises."""

from abc import abstractmethod
from collections.abc import Sequence

from torch import nn

from elva.structures import Clip, FramePlan, VideoTokens


class VideoTokenizer(nn.Module):
    """Turns clips into tokens that describe themselves.

    Attributes:
        out_channels: Width of the tokens, that of the language model.
        patch_size: Frame sides must be multiples of it, in pixels.
        tubelet: How many successive frames of one size make one temporal unit.
    """

    out_channels: int
    patch_size: int
    tubelet: int

    @abstractmethod
    def forward(self, clips: Sequence[Clip]) -> VideoTokens:
        """Tokenise a batch of clips of any lengths and sizes.

        Args:
            clips: B clips with normalised floating-point pixels.

        Returns:
            Tokens of B videos, padded on the right to the longest.
        """

    @abstractmethod
    def count(self, plan: FramePlan) -> int:
        """How many tokens ``forward`` makes of a clip with this plan; nothing is decoded or computed."""

    @abstractmethod
    def match_scale(self, rms: float) -> None:
        """Rescale the last layer so that tokens start with this root mean square, that of the text embeddings.

        Otherwise the visual tokens drown the text, or are drowned by it, in the first layers.
        """
