"""The patch embedding of Fuyu: one linear map into the language model, and a newline after each row.

Legend: U temporal units, h w patches, C width of the language model.
"""

import torch
from torch import Tensor, nn

from elva.registry import TOKENIZERS

from .layout import LayoutSpec, UnitBlock, delimit, patches_of, patchify
from .patch_tokenizer import NOISE_GRID, PatchTokenizer
from .projector import rescale


@TOKENIZERS.register_module()
class FuyuPatchEmbed(PatchTokenizer):
    """Patches of Fuyu-8B (Adept, 2023): one linear map with bias straight to the language model's width.

    A learned newline (``LINE``) ends each row, as ``|NEWLINE|`` of its vocabulary does; nothing stands before a frame,
    so supervisors that need ``FRAME`` tokens (``FrameContrast`` with ``source='frame'``) do not work with it. Fuyu
    reads images; here it reads each temporal unit as one. The pixels of a patch are mapped in the order colour, row,
    column; Fuyu's weights hold row, column, colour.

    Its ``keys`` are the tokens themselves.

    Args:
        out_channels: Width C of the language model.
        patch_size: Side of a patch in pixels. Default: 30.
        tubelet: Successive frames of one size that make one unit; an incomplete one repeats its last frame. Default: 1.
        merge_lines: Whether ``LINE`` tokens have a slot, so that mergers may merge them. Default: True.
        init_rms: Root mean square of the output after initialisation. Default: 0.02.
    """

    def __init__(
        self,
        out_channels: int,
        patch_size: int = 30,
        tubelet: int = 1,
        merge_lines: bool = True,
        init_rms: float = 0.02,
    ) -> None:
        super().__init__(out_channels, LayoutSpec(patch_size, tubelet, frame_token=False, merge_lines=merge_lines))
        self.patch = nn.Linear(tubelet * 3 * patch_size**2, out_channels)
        self.line = nn.Parameter(torch.randn(out_channels))
        self.projector = nn.Sequential()  # the patch map is one already
        self.match_scale(init_rms)

    def embed(self, block: UnitBlock) -> Tensor:
        """(U, h * (w + 1), C) tokens of units of one size."""
        patch_UhwC = self.patch(patchify(block.pixels.to(self.patch.weight.dtype), self.patch_size))
        return delimit(patch_UhwC, self.line)

    @torch.no_grad()
    def match_scale(self, rms: float) -> None:
        """Rescale the patch map and the newline so that both give tokens of root mean square ``rms``."""
        rescale(self.patch, lambda: patches_of(self.of_random_pixels(), NOISE_GRID, self.spec), rms)
        self.line.mul_(rms / self.line.square().mean().sqrt())
