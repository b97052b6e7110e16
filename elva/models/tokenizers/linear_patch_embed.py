"""The naive patch embedding that ELVA is compared with: ``FRAME`` and ``LINE`` look at nothing.

Legend: U temporal units, h w patches, D embedding width, C width of the language model.
"""

import torch
from torch import Tensor, nn

from elva.registry import TOKENIZERS

from .layout import LayoutSpec, UnitBlock, delimit, patchify
from .patch_tokenizer import PatchTokenizer


@TOKENIZERS.register_module()
class LinearPatchEmbed(PatchTokenizer):
    """One linear map of each patch, with a learned ``FRAME`` before each unit and a learned ``LINE`` after each row.

    The order and description of the tokens are those of ``ElvaPatchEmbed``, so that the two differ by its
    cross-attentions alone (the "naive" row of the ablation of arXiv 2503.18422).

    Args:
        out_channels: Width C of the language model.
        patch_size: Side of a patch in pixels. Default: 16.
        tubelet: Successive frames of one size that make one unit; an incomplete one repeats its last frame. Default: 1.
        embed_channels: Width D of the embedding. Default: 1024.
        projector: ``'linear'`` or ``'mlp2x_gelu'``, from D to C. Default: ``'linear'``.
        merge_lines: Whether ``LINE`` tokens have a slot, so that mergers may merge them. Default: True.
        init_rms: Root mean square of the output after initialisation. Default: 0.02.
    """

    def __init__(
        self,
        out_channels: int,
        patch_size: int = 16,
        tubelet: int = 1,
        embed_channels: int = 1024,
        projector: str = "linear",
        merge_lines: bool = True,
        init_rms: float = 0.02,
    ) -> None:
        super().__init__(out_channels, LayoutSpec(patch_size, tubelet, merge_lines=merge_lines))
        self.patch = nn.Linear(tubelet * 3 * patch_size**2, embed_channels, bias=False)
        self.line = nn.Parameter(torch.randn(embed_channels) * 0.02)
        self.frame = nn.Parameter(torch.randn(embed_channels) * 0.02)
        self.add_projector(projector, embed_channels, init_rms)

    def embed(self, block: UnitBlock) -> Tensor:
        """(U, h * w + h + 1, D) features of units of one size."""
        e_UhwD = self.patch(patchify(block.pixels.to(self.patch.weight.dtype), self.patch_size))
        return delimit(e_UhwD, self.line, self.frame)
