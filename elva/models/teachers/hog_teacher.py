"""A teacher that needs no weights: histograms of oriented gradients.

Legend: V videos, T frames, S side in pixels, h w cells, B bins, C channels.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from elva.registry import TEACHERS

from .base import Teacher
from .frames import resize_frames


@TEACHERS.register_module()
class HOGTeacher(Teacher):
    """Histograms of oriented gradients of each colour channel (Dalal and Triggs 2005; as a target: MaskFeat, 2022).

    The gradient's orientation, without sign, is shared between its two nearest bins, weighted by magnitude and averaged
    over each cell; the histograms of a cell have unit length together, except that faint ones stay faint.

    Args:
        cell: Side of a cell in pixels. Default: 8.
        bins: Orientations over half a turn. Default: 9.
        image_size: Side S of the frames that it takes, in pixels, a multiple of ``cell``. Default: 224.
        colour: Append the cell's mean colour, from -1 to 1: orientations do not tell red from green. Default: False.
    """

    FAINT = 0.02
    """Length of a cell's histograms, for pixels from 0 to 1, below which they count as noise."""

    def __init__(self, cell: int = 8, bins: int = 9, image_size: int = 224, colour: bool = False) -> None:
        super().__init__()
        if image_size % cell or image_size < cell:
            raise ValueError(f"HOGTeacher: image_size={image_size} must be a multiple of cell={cell}.")
        self.cell, self.bins, self.image_size, self.colour = cell, bins, image_size, colour
        self.channels = 3 * bins + 3 * colour
        self.identity = f"hog-cell{cell}-bins{bins}-size{image_size}-colour{int(colour)}"

    @torch.no_grad()
    def forward(self, frames_VTCHW: Tensor) -> Tensor:
        """(V, T, h, w, 3 * bins [+ 3]) float32; frames of another size are resized to S."""
        frames = resize_frames(frames_VTCHW.flatten(0, 1).float(), self.image_size)
        hist = torch.cat([self._histograms(part) for part in frames.split(8)])  # 8: what a CPU's cache holds
        features = hist * (hist.square().sum(1, keepdim=True) + self.FAINT**2).rsqrt()
        if self.colour:
            features = torch.cat((features, 2 * F.avg_pool2d(frames, self.cell) - 1), 1)
        return features.movedim(1, -1).unflatten(0, frames_VTCHW.shape[:2])

    def _histograms(self, frames: Tensor) -> Tensor:
        """(n, 3 * bins, h, w) mean magnitude in each bin, of frames (n, 3, S, S)."""
        n, c, side, _ = frames.shape
        cells = side // self.cell
        padded = F.pad(frames, (1, 1, 1, 1), mode="replicate")
        dx = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
        dy = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
        magnitude = torch.hypot(dx, dy)
        place = torch.atan2(dy, dx).add_(math.pi).mul_(self.bins / math.pi)  # from 0 to 2 * bins: two half turns
        low = place.floor()
        share = place.sub_(low).mul_(magnitude)
        # One row of counters a bin, over both half turns and one more, so that no index needs a modulo.
        rows = 2 * self.bins + 2
        at = torch.arange(side, device=frames.device, dtype=torch.int32) // self.cell
        origin = torch.arange(n * c, device=frames.device, dtype=torch.int32).view(n, c, 1, 1) * (rows * cells**2)
        index = (low.int().mul_(cells**2) + (at[:, None] * cells + at)).add_(origin).flatten()
        hist = magnitude.new_zeros(n * c * rows * cells**2)
        hist.index_add_(0, index, (magnitude - share).flatten())
        hist.index_add_(0, index.add_(cells**2), share.flatten())
        turns = hist.view(n, c, rows, cells, cells)
        folded = turns[:, :, : self.bins] + turns[:, :, self.bins : 2 * self.bins]
        folded[:, :, :2] += turns[:, :, 2 * self.bins :]
        return folded.flatten(1, 2) / (2 * self.cell**2)
