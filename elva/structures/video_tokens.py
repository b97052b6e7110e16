"""Visual tokens before the language model: features, and where each came from.

Legend: B videos, N tokens (padded on the right), C channels.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from torch import Tensor

from .source_map import SourceMap


class Kind(IntEnum):
    """What a row of a sequence is."""

    PAD = 0
    TEXT = 1
    FRAME = 2
    PATCH = 3
    LINE = 4
    MEMORY = 5


@dataclass(frozen=True)
class VideoTokens:
    """One row a token; a token carries its own description, so nobody has to ask the tokenizer.

    Attributes:
        x: (B, N, C) features.
        pos: (B, N, 3) float: time in frames, row, column. Row and column are counted in the video's finest grid, so
            a low-resolution token has the coordinates of the centre of the cells that it covers.
        seconds: (B, N) float, presentation time.
        size: (B, N) float, how many patches the token stands for (1 for ``FRAME`` and ``LINE``).
        frame: (B, N) long, index of the frame (of the tubelet, for tubelets) in the video; -1 spans frames.
        slot: (B, N) long, the same value <=> the same place in the same grid ("tube"); -1 may not merge.
        grid: (B, N, 2) long, rows and columns of the patch grid that the token belongs to.
        kind: (B, N) long, values of :class:`Kind`.
        valid: (B, N) bool; false on padding, which stands at the end of each video.
        src: From the tokenizer's rows to these.
    """

    x: Tensor
    pos: Tensor
    seconds: Tensor
    size: Tensor
    frame: Tensor
    slot: Tensor
    grid: Tensor
    kind: Tensor
    valid: Tensor
    src: SourceMap

    def replace(self, **fields: Any) -> "VideoTokens":
        """A copy with other ``fields``."""
        return replace(self, **fields)
