"""What every language model promises."""

from abc import abstractmethod
from typing import TYPE_CHECKING

from torch import Tensor, nn

from elva.structures import SequenceState

if TYPE_CHECKING:
    from elva.models.mergers.base import Merger
    from elva.models.mergers.cache_selector import CacheSelector

    from .cache import KVCache
    from .trace import Trace


class DecoderLLM(nn.Module):
    """A decoder-only language model whose layers run one by one, so that the sequence can be shortened between them.

    Attributes:
        hidden_size: Width C.
        depth: Number of layers.
        frame_mask: ``'causal'``, or ``'bidirectional'`` within a frame.
    """

    hidden_size: int
    depth: int
    frame_mask: str

    @abstractmethod
    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings (..., C) of token ids."""

    @abstractmethod
    def forward(
        self,
        state: SequenceState,
        merger: "Merger | None" = None,
        cache: "KVCache | None" = None,
        trace: "Trace | None" = None,
        selector: "CacheSelector | None" = None,
    ) -> SequenceState:
        """Run every layer.

        Args:
            state: The assembled sequence, or the next rows of one whose earlier rows are in ``cache``.
            merger: Called at its sites. Default: none. Never given while decoding.
            cache: Keys and values of earlier rows; those of ``state`` are added. Default: none.
            trace: Takes the number of rows of each layer, and what the merger records. Default: none.
            selector: Chooses which cached rows a decoding step reads. Default: none, it reads them all.

        Returns:
            The state with the hidden states of the last layer, through the final norm.
        """

    @abstractmethod
    def fit_vocabulary(self, size: int) -> None:
        """Make room for at least ``size`` token ids."""

    @abstractmethod
    def embedding_rms(self) -> float:
        """Root mean square of the embedding table: the scale that visual tokens start with."""

    @abstractmethod
    def logits(self, h: Tensor) -> Tensor:
        """Scores (..., vocabulary) of normed hidden states (..., C); give it only the rows that need them."""

    @abstractmethod
    def logits_of(self, h: Tensor, ids: list[int]) -> Tensor:
        """Scores (..., len(ids)) of these tokens alone, in float32 whatever the rest is computed in.

        In bfloat16 scores near 20 are 1/8 apart: the best of a few tokens would often be a tie.
        """
