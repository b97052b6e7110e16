"""Which original rows each row stands for, through any number of merges.

Legend: B batch, L rows now, M rows afterwards, N original rows, E entries of the map, C channels.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class SourceMap:
    """A sparse map (dst, src, weight) from original rows to the rows that they became part of.

    As long as an original row belongs to one row at most, as merging keeps it, ``src`` is implied by the place: entry
    ``e`` of a sample is its original row ``e``, and a merge is a gather (``moved``) that costs O(E), however many came
    before. Reducers that give a row to several others (``then``) name it in ``src``.

    Attributes:
        dst: (B, E) long, the row that the entry is part of now; -1 if it was dropped or is padding.
        weight: (B, E) float32, its share in that row; the shares of one row add up to 1 where rows were averaged.
        src: (B, E) long, the original row of each entry. Default: None, entry ``e`` is row ``e``.
        rows: N, original rows; implied by the place without ``src``.
        linear: Whether a row is the weighted sum of its sources; after a learned step they are only where it came from.
    """

    dst: Tensor
    weight: Tensor
    src: Tensor | None = None
    rows: int = -1
    linear: bool = True

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
        return replace(self, dst=dst, weight=weight.masked_fill(dst < 0, 0.0))

    def then(self, dst_BE: Tensor, src_BE: Tensor, weight_BE: Tensor, length: int) -> "SourceMap":
        """The map after rows became weighted sums of rows, each of any number of them.

        Args:
            dst_BE: (B, E) long, the new row of each term; -1 for none.
            src_BE: (B, E) long, the row of now that it takes.
            weight_BE: (B, E) float, its weight.
            length: Rows of now.
        """
        first_B1 = torch.arange(len(dst_BE), device=dst_BE.device)[:, None] * length
        own_E, order_E = torch.where(self.dst >= 0, first_B1 + self.dst, -1).flatten().sort()
        wanted_T = (first_B1 + src_BE)[dst_BE >= 0]
        start_T = torch.searchsorted(own_E, wanted_T)
        count_T = torch.searchsorted(own_E, wanted_T, right=True) - start_T
        term_X = torch.repeat_interleave(count_T)  # each term, once for each entry of the row that it takes
        nth_X = torch.arange(len(term_X), device=term_X.device) - (count_T.cumsum(0) - count_T)[term_X]
        entry_X = order_E[start_T[term_X] + nth_X]
        weight_X = weight_BE[dst_BE >= 0].float()[term_X] * self.weight.flatten()[entry_X]
        sample_X = (first_B1 // max(length, 1)).expand_as(dst_BE)[dst_BE >= 0][term_X]
        place_X = torch.arange(len(term_X), device=term_X.device) - torch.searchsorted(sample_X, sample_X)
        width = int(place_X.max()) + 1 if len(place_X) else 0

        def rows(values_X: Tensor, fill: float) -> Tensor:
            return values_X.new_full((len(dst_BE), width), fill).index_put((sample_X, place_X), values_X)

        dst, src = rows(dst_BE[dst_BE >= 0][term_X], -1), rows(self._sources.flatten()[entry_X], 0)
        return SourceMap(dst, rows(weight_X, 0), src, self.original_rows, self.linear)

    @property
    def original_rows(self) -> int:
        """N, how many original rows a sample has, padding included."""
        return self.dst.shape[1] if self.src is None else self.rows

    @property
    def _sources(self) -> Tensor:
        """(B, E) long: the original row of each entry."""
        if self.src is not None:
            return self.src
        return torch.arange(self.dst.shape[1], device=self.dst.device).expand_as(self.dst)

    def apply(self, x_BNC: Tensor, length: int) -> Tensor:
        """(B, ``length``, C) float32: what the rows are if each is the weighted sum of its original rows."""
        channels = x_BNC.shape[2]
        terms_BEC = x_BNC.float().gather(1, self._sources[..., None].expand(-1, -1, channels))
        at_BE = torch.where(self.dst >= 0, self.dst, length)
        out = terms_BEC.new_zeros(len(x_BNC), length + 1, channels)
        at_BEC = at_BE[..., None].expand_as(terms_BEC)
        return out.scatter_add(1, at_BEC, terms_BEC * self.weight[..., None])[:, :-1]

    def dense(self, length: int) -> Tensor:
        """(B, ``length``, N) float32: the map as a matrix, for small sequences."""
        eye = torch.eye(self.original_rows, device=self.dst.device)
        return self.apply(eye.expand(len(self.dst), -1, -1), length)

    def gather(self, values_BE: Tensor, length: int, fill: int) -> Tensor:
        """(B, ``length``) values of the original rows, carried to the rows that hold them; ``fill`` elsewhere.

        Meant for values that at most one original row of each row has (labels): ``fill`` entries never overwrite.
        """
        assert self.src is None, "an original row may be part of several rows"
        present = (self.dst >= 0) & (values_BE != fill)
        out = values_BE.new_full((values_BE.shape[0], length + 1), fill)
        out.scatter_(1, torch.where(present, self.dst, length), values_BE)
        return out[:, :length]

    def counts(self, length: int) -> Tensor:
        """(B, ``length``) long: how many entries (without ``src``: original rows) each row has."""
        out = self.dst.new_zeros(self.dst.shape[0], length + 1)
        at = torch.where(self.dst >= 0, self.dst, length)
        return out.scatter_add_(1, at, torch.ones_like(at))[:, :length]
