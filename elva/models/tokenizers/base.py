"""What every video tokenizer promises."""

from abc import abstractmethod
from collections.abc import Collection, Sequence

from torch import nn

from elva.structures import Clip, FramePlan, VideoTokens


class VideoTokenizer(nn.Module):
    """Turns clips into tokens that describe themselves.

    Attributes:
        out_channels: Width of the tokens, that of the language model.
        patch_size: Frame sides must be multiples of it, in pixels.
        tubelet: How many successive frames of one size make one temporal unit.
        offers: Which of ``'attn'`` and ``'keys'`` of :class:`VideoTokens` it can give. Default: neither.
        makes_grid: Whether the patches of each frame fill a grid. Default: True.
        mixes_time: Whether a token depends on other units of its clip than its own, so that a clip cannot be tokenised
            piece by piece. Default: False.
    """

    out_channels: int
    patch_size: int
    tubelet: int
    offers: frozenset[str] = frozenset()
    makes_grid: bool = True
    mixes_time: bool = False

    @abstractmethod
    def forward(self, clips: Sequence[Clip], signals: Collection[str] = ()) -> VideoTokens:
        """Tokenise a batch of clips of any lengths and sizes.

        Args:
            clips: B clips with normalised floating-point pixels.
            signals: Which of ``offers`` to give as well. Default: none; they cost time.

        Returns:
            Tokens of B videos, padded on the right to the longest.

        Raises:
            ValueError: If a frame's size does not fit ``patch_size``, or pixels are not normalised.
        """

    @abstractmethod
    def count(self, plan: FramePlan) -> int:
        """How many tokens ``forward`` makes of a clip with this plan; nothing is decoded or computed."""

    @abstractmethod
    def match_scale(self, rms: float) -> None:
        """Rescale the last layer so that tokens start with this root mean square, that of the text embeddings.

        Otherwise the visual tokens drown the text, or are drowned by it, in the first layers.
        """
