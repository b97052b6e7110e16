"""Visual tokens before the language model: features, and where each came from.

Legend: B videos, N tokens (padded on the right), M tokens afterwards, C channels, K channels of a key, E terms.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import torch
from torch import Tensor

from .packing import Packing, size_shares, spread, weighted_sum, weighted_terms
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

    Frozen: a reducer returns other tokens, made by the verbs ``select``, ``fold`` and ``combine``.

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
        attn: (B, N) float32, attention that the token receives from the summary of its frame (a class token, ``FRAME``;
            the mean over queries where there is none), mean over heads. Default: None, the tokenizer was not asked.
        keys: (B, N, K) the tokenizer's keys, by which reducers tell what is alike. Default: None, it was not asked.
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
    attn: Tensor | None = None
    keys: Tensor | None = None

    @property
    def reducible(self) -> Tensor:
        """(B, N) bool: valid tokens that a reducer may drop or average: never ``FRAME``, never one without a slot."""
        return self.valid & (self.slot >= 0) & (self.kind != Kind.FRAME)

    @property
    def cell(self) -> Tensor:
        """(B, N, 2) long: row and column in the token's own grid (a ``LINE`` is behind the last column); -1 without."""
        fine_B12 = self.grid.flatten(2).amax(1, keepdim=True).clamp(min=1)
        cell = ((self.pos[..., 1:] + 0.5) * self.grid / fine_B12 - 0.5).round().long()
        return cell.masked_fill((~self.valid | (self.kind == Kind.FRAME))[..., None], -1)

    def replace(self, **fields: Any) -> "VideoTokens":
        """A copy with other ``fields``."""
        return replace(self, **fields)

    def select(self, keep_BN: Tensor) -> "VideoTokens":
        """Keep the tokens where ``keep_BN``; order is kept, every field stays in step, ragged videos are padded."""
        packing = Packing.of(keep_BN & self.valid, self.valid)
        if packing is None:
            return self
        return self._described_by(packing.old_BM, packing.valid_BM, packing.take(self.x)).replace(
            src=self.src.moved(packing.new_BL)
        )

    def fold(self, into_BN: Tensor) -> "VideoTokens":
        """Average tokens into others: token ``n`` joins token ``into_BN[b, n]``; a token that stays names itself.

        Features (and keys) are averaged by ``size``, sizes and attention add up, and the token joined keeps the rest
        of its description. A token that spans several frames afterwards has ``frame`` -1.
        """
        rows_N = torch.arange(into_BN.shape[1], device=into_BN.device)
        packing = Packing.of((into_BN == rows_N) & self.valid, self.valid)
        if packing is None:
            return self
        dst_BN = packing.new_BL.gather(1, into_BN).masked_fill(~self.valid, -1)
        size_BN, share_BN = size_shares(self.size, into_BN)
        fields: dict[str, Any] = {"size": size_BN, "frame": spread(self.frame, into_BN)}
        if self.attn is not None:
            fields["attn"] = torch.zeros_like(self.attn).scatter_add_(1, into_BN, self.attn)
        out = self.replace(**fields)._described_by(
            packing.old_BM, packing.valid_BM, weighted_sum(self.x, dst_BN, share_BN, packing)
        )
        if self.keys is not None:
            out = out.replace(keys=weighted_sum(self.keys, dst_BN, share_BN, packing))
        return out.replace(src=self.src.moved(dst_BN, share_BN))

    def combine(
        self, anchor_BM: Tensor, valid_BM: Tensor, dst_BE: Tensor, src_BE: Tensor, weight_BE: Tensor
    ) -> "VideoTokens":
        """Tokens that are weighted sums of these, a token going into as many as it likes.

        Args:
            anchor_BM: (B, M) long, the token whose description each new token takes; in rising order unless a
                published order is wanted.
            valid_BM: (B, M) bool, false on padding, which stands at the end.
            dst_BE: (B, E) long, the new token of each term; -1 for none.
            src_BE: (B, E) long, the token that the term takes.
            weight_BE: (B, E) float, its weight; the weights of a token need not add up to 1.

        Sizes are those of the anchors; give others by ``replace`` where tokens were averaged.
        """
        x = weighted_terms(self.x, dst_BE, src_BE, weight_BE, anchor_BM.shape[1])
        src = self.src.then(dst_BE, src_BE, weight_BE.detach(), self.x.shape[1])
        return self._described_by(anchor_BM, valid_BM, x).replace(src=src)

    def _described_by(self, old_BM: Tensor, valid_BM: Tensor, x_BMC: Tensor) -> "VideoTokens":
        """Tokens with the description of the tokens ``old_BM``, and features ``x_BMC``."""

        def take(values: Tensor | None, pad: int) -> Tensor | None:
            if values is None:
                return None
            at = old_BM.view(*old_BM.shape, *(1,) * (values.ndim - 2)).expand(*old_BM.shape, *values.shape[2:])
            there = valid_BM.view(*old_BM.shape, *(1,) * (values.ndim - 2))
            return values.gather(1, at).masked_fill(~there, pad)

        pads = {"frame": -1, "slot": -1, "kind": int(Kind.PAD)}
        names = ("pos", "seconds", "size", "frame", "slot", "grid", "kind", "attn", "keys")
        fields = {name: take(getattr(self, name), pads.get(name, 0)) for name in names}
        return self.replace(x=x_BMC.masked_fill(~valid_BM[..., None], 0), valid=valid_BM, **fields)
