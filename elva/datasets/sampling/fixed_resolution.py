"""One size for every frame of every video."""

from dataclasses import replace

from elva.registry import RESOLUTION_SCHEDULERS
from elva.structures import FramePlan, VideoMeta

from .base import ResolutionScheduler
from .times import check_positive


@RESOLUTION_SCHEDULERS.register_module()
class FixedResolution(ResolutionScheduler):
    """Resizes every frame to ``size``, whatever its aspect.

    Args:
        size: Height and width in pixels, multiples of ``patch_size``.
        patch_size: The tokenizer's, in pixels. Default: 16.
    """

    def __init__(self, size: tuple[int, int], patch_size: int = 16) -> None:
        height, width = size
        check_positive("FixedResolution", height=height, width=width, patch_size=patch_size)
        if height % patch_size or width % patch_size:
            raise ValueError(
                f"FixedResolution: size {(height, width)} is not a multiple of patch_size {patch_size}; "
                f"the next larger one is {tuple(-side // patch_size * -patch_size for side in (height, width))}"
            )
        self.size = (height, width)
        self.patch_size = patch_size

    def assign(self, plan: FramePlan, meta: VideoMeta) -> FramePlan:
        return replace(plan, sizes=(self.size,) * len(plan))
