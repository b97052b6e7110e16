"""Which original rows each row stands for, through any number of merges.

Legend: B batch, L rows now, E original rows (entries of the map).
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SourceMap:
    """A sparse map (dst, src, weight) from original rows to the rows that they became part of.

    ``src`` is implied by the place: entry ``e`` of a sample is its original row ``e``. An original row belongs to one
    row at most, so a merge is a gather (``moved``) and costs O(E), however many came before.

    Attributes:
        dst: (B, E) long, the row that the original row is part of now; -1 if it was dropped or is padding.
        weight: (B, E) float32, its share in that row; the shares of one row add up to 1.
    """

    dst: Tensor
    weight: Tensor

    @classmethod
    def identity(cls, valid_BL: Tensor) -> "SourceMap":
        """The map of a batch whose rows are still the original ones; rows that are not valid stand for nothing."""
        rows = torch.arange(valid_BL.shape[1], device=valid_BL.device).expand(valid_BL.shape)
        return cls(rows.masked_fill(~valid_BL, -1), valid_BL.float())

    def moved(self, new_BL: Tensor, weight_BL: Tensor | None = None) -> "SourceMap":
        """The map after row ``l`` became part of row ``new_BL[b, l]`` (-1: dropped) with share ``weight_BL[b, l]``.

        Args:
            new_BL: (B, L) long.
            weight_BL: (B, L) float. Default: 1 everywhere (rows only change their places).
        """
        gone = self.dst < 0
        at = self.dst.clamp(min=0)
        dst = new_BL.gather(1, at).masked_fill(gone, -1)
        weight = self.weight if weight_BL is None else self.weight * weight_BL.float().gather(1, at)
        return SourceMap(dst, weight.masked_fill(dst < 0, 0.0))

    def gather(self, values_BE: Tensor, length: int, fill: int) -> Tensor:
        """(B, ``length``) values of the original rows, carried to the rows that hold them; ``fill`` elsewhere.

        Meant for values that at most one original row of each row has (labels): ``fill`` entries never overwrite.
        """
        present = (self.dst >= 0) & (values_BE != fill)
        out = values_BE.new_full((values_BE.shape[0], length + 1), fill)
        out.scatter_(1, torch.where(present, self.dst, length), values_BE)
        return out[:, :length]

    def counts(self, length: int) -> Tensor:
        """(B, ``length``) long: how many original rows each row stands for."""
        out = self.dst.new_zeros(self.dst.shape[0], length + 1)
        at = torch.where(self.dst >= 0, self.dst, length)
        return out.scatter_add_(1, at, torch.ones_like(at))[:, :length]
