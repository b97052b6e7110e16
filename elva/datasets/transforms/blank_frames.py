"""Takes the video away: what is left is what a model knows without looking."""

from typing import Any

import torch
from mmcv.transforms import BaseTransform

from elva.registry import TRANSFORMS

GREY = 128


@TRANSFORMS.register_module()
class BlankFrames(BaseTransform):
    """Replaces every pixel of ``clips`` by mid-grey; frames, sizes and times stay as they are."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return ``results`` with blank ``clips``."""
        clips = [clip.map(lambda pixels: torch.full_like(pixels, GREY)) for clip in results["clips"]]
        return results | {"clips": clips}
