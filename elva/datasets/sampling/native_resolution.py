"""Every video in its own aspect, within a number of patches."""

import math
from dataclasses import replace
from itertools import product

from elva.registry import RESOLUTION_SCHEDULERS
from elva.structures import FramePlan, VideoMeta

from .base import ResolutionScheduler
from .times import check_positive


@RESOLUTION_SCHEDULERS.register_module()
class NativeResolution(ResolutionScheduler):
    """Keeps a video's aspect as closely as whole patches allow, shrinks it to the cap, and never enlarges it.

    ELVA reads frames at their native aspect ratio with about 144 patches a frame (12 x 12 of a square one).

    Args:
        patch_size: The tokenizer's, in pixels. Default: 16.
        max_patches: The most patches of a frame. Default: 144.
        min_patches: A smaller video is enlarged to about so many, as long as they fit. Default: 1, no enlarging but
            the rounding to whole patches.
    """

    def __init__(self, patch_size: int = 16, max_patches: int = 144, min_patches: int = 1) -> None:
        check_positive("NativeResolution", patch_size=patch_size, max_patches=max_patches, min_patches=min_patches)
        if min_patches > max_patches:
            raise ValueError(f"NativeResolution: min_patches ({min_patches}) is above max_patches ({max_patches})")
        self.patch_size = patch_size
        self.max_patches = max_patches
        self.min_patches = min_patches

    def assign(self, plan: FramePlan, meta: VideoMeta) -> FramePlan:
        rows, cols = self._grid(max(1.0, meta.height / self.patch_size), max(1.0, meta.width / self.patch_size))
        return replace(plan, sizes=((rows * self.patch_size, cols * self.patch_size),) * len(plan))

    def _grid(self, height: float, width: float) -> tuple[int, int]:
        """Rows and columns for a frame of ``height`` x ``width`` patches, which need not be whole."""
        scale = min(1.0, math.sqrt(self.max_patches / (height * width)))
        scale = max(scale, math.sqrt(self.min_patches / (height * width)))
        rows = min(max(1.0, height * scale), self.max_patches)  # the cap alone matters to slivers one patch wide
        cols = min(max(1.0, width * scale), self.max_patches)
        around = product((math.floor(rows), math.ceil(rows)), (math.floor(cols), math.ceil(cols)))
        growth = max(1.0, scale)
        most_rows, most_cols = round(height * growth), round(width * growth)
        grids = [(r, c) for r, c in around if r * c <= self.max_patches and r <= most_rows and c <= most_cols]
        return min(grids, key=lambda grid: (self._misfit(grid, height / width), -grid[0] * grid[1]))

    def _misfit(self, grid: tuple[int, int], aspect: float) -> float:
        """How far a grid's aspect is from ``aspect``, as the logarithm of their ratio; too few patches come last."""
        if grid[0] * grid[1] < self.min_patches:
            return math.inf
        return abs(math.log(grid[0] / grid[1] / aspect))
