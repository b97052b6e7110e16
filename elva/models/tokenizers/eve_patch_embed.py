"""The patch embedding of EVE: patches gathered two by two, a class token for the frame, a learned end of row.

Legend: U temporal units, H W patches, h w tokens (half as many a side), D embedding width, C width of the language
model.
"""

import torch
from torch import Tensor, nn

from elva.registry import TOKENIZERS

from .cell_attention import CellAttention, half_of
from .layout import LayoutSpec, UnitBlock, delimit, patchify
from .patch_tokenizer import PatchTokenizer
from .region_attention import RegionAttention


@TOKENIZERS.register_module()
class EvePatchEmbed(PatchTokenizer):
    """Patch embedding of EVE (EVEv1, arXiv 2406.11832), 9,003,008 parameters at its sizes without the projector.

    A frame is cut into patches of half of ``patch_size``; every 2 x 2 of them become one token by local attention, a
    class token (``FRAME``) gathers the tokens of the frame, and each row ends with one learned vector (``LINE``). EVE
    reads images; here it reads each temporal unit as one. Frames keep their aspect, so nothing is padded and masked.

    Of its signals, ``attn`` is the attention of ``FRAME`` over the tokens of its unit, ``keys`` the tokens before the
    projector, D channels.

    Args:
        out_channels: Width C of the language model.
        patch_size: Side of a token in pixels, even. Default: 28, patches of 14.
        tubelet: Successive frames of one size that make one unit; an incomplete one repeats its last frame. Default: 1.
        embed_channels: Width D of the embedding. Default: 1024.
        num_heads: Heads of both attentions; products are scaled by D^-1/2, as published. Default: 8.
        projector: ``'linear'`` or ``'mlp2x_gelu'``, from D to C. Default: ``'mlp2x_gelu'``.
        merge_lines: Whether ``LINE`` tokens have a slot, so that mergers may merge them. Default: True.
        init_rms: Root mean square of the output after initialisation. Default: 0.02.

    Raises:
        ValueError: If ``patch_size`` is odd, or ``embed_channels`` no multiple of ``num_heads``.
    """

    offers = frozenset({"attn", "keys"})

    def __init__(
        self,
        out_channels: int,
        patch_size: int = 28,
        tubelet: int = 1,
        embed_channels: int = 1024,
        num_heads: int = 8,
        projector: str = "mlp2x_gelu",
        merge_lines: bool = True,
        init_rms: float = 0.02,
    ) -> None:
        super().__init__(out_channels, LayoutSpec(patch_size, tubelet, merge_lines=merge_lines))
        self.patch_side = half_of(patch_size)
        scale = embed_channels**-0.5
        self.patch = nn.Linear(tubelet * 3 * self.patch_side**2, embed_channels, bias=False)
        self.cell = CellAttention(embed_channels, num_heads, scale)
        self.frame = RegionAttention(embed_channels, num_heads, scale, std=1.0)
        self.line = nn.Parameter(torch.randn(embed_channels))
        self.add_projector(projector, embed_channels, init_rms)

    def embed(self, block: UnitBlock) -> Tensor:
        """(U, h * w + h + 1, D) features of units of one size."""
        patch_UHWD = self.patch(patchify(block.pixels.to(self.patch.weight.dtype), self.patch_side))
        token_UhwD = self.cell(patch_UHWD)
        return delimit(token_UhwD, self.line, self.frame(token_UhwD.flatten(1, 2)))
