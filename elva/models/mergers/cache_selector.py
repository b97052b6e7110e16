"""What chooses the cached rows that a decoding step reads.

Legend: B batch, K cached rows.
"""

from abc import ABC, abstractmethod

from torch import Tensor


class CacheSelector(ABC):
    """Decides, step by step, which cached visual rows the later layers of a language model read.

    Nothing is deleted: another step may read other rows. Text is always read. One object serves one call of
    ``generate`` and may remember what it saw in the steps before.

    Attributes:
        layer: The layer whose attention it looks at; those behind it read what it chose.
    """

    layer: int

    @abstractmethod
    def choose(self, weights_BK: Tensor, visual_BK: Tensor) -> Tensor:
        """(B, K) bool: the visual rows to read; what it says of the others does not matter.

        Args:
            weights_BK: (B, K) float32, attention of the new row over the rows that ``layer`` has cached, averaged over
                heads. K grows by one from step to step; the rows before keep their places.
            visual_BK: (B, K) bool, which of them are visual.
        """
