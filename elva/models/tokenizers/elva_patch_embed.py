"""ELVA's video patch embedding: patches, and ``FRAME`` and ``LINE`` tokens that gather them.

Legend: U temporal units, h w patches, n tokens of a unit, D embedding width, C width of the language model.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor, nn

from elva.registry import TOKENIZERS

from .layout import LayoutSpec, UnitBlock, delimit, patchify
from .patch_tokenizer import PatchTokenizer
from .region_attention import RegionAttention


@TOKENIZERS.register_module()
class ElvaPatchEmbed(PatchTokenizer):
    """Video patch embedding of ELVA (arXiv 2503.18422), about 9 M parameters at width 1024 without the projector.

    Each temporal unit becomes ``FRAME``, then each row of patches followed by its ``LINE``. ``FRAME`` gathers the
    patches of its unit and ``LINE`` those of its row by cross-attention. ``FRAME`` stands first, so that under a
    causal mask everything it knows of its own frame comes from here.

    Of its signals, ``attn`` is the attention of ``FRAME`` over the patches of its unit, ``keys`` the embedding before
    the projector, D channels.

    Args:
        out_channels: Width C of the language model.
        patch_size: Side of a patch in pixels. Default: 16.
        tubelet: Successive frames of one size that make one unit; an incomplete one repeats its last frame. Default: 1.
        embed_channels: Width D of the embedding. Default: 1024.
        num_heads: Heads of the two cross-attentions. Default: 8.
        projector: ``'linear'`` or ``'mlp2x_gelu'``, from D to C. Default: ``'linear'``.
        pos_embed: Add a fixed 2-D sine-cosine signal of the place in the frame to the patches. The method has none
            (``LINE`` and causal order tell a place); small models learn faster with it. Default: False.
        merge_lines: Whether ``LINE`` tokens have a slot, so that mergers may merge them. Default: True.
        init_rms: Root mean square of the output after initialisation, that of a Qwen2 embedding table, so that a
            frozen language model is not flooded. Default: 0.02.
    """

    offers = frozenset({"attn", "keys"})

    def __init__(
        self,
        out_channels: int,
        patch_size: int = 16,
        tubelet: int = 1,
        embed_channels: int = 1024,
        num_heads: int = 8,
        projector: str = "linear",
        pos_embed: bool = False,
        merge_lines: bool = True,
        init_rms: float = 0.02,
    ) -> None:
        super().__init__(out_channels, LayoutSpec(patch_size, tubelet, merge_lines=merge_lines))
        if pos_embed and embed_channels % 4:
            raise ValueError(f"ElvaPatchEmbed: pos_embed needs embed_channels={embed_channels} to be a multiple of 4.")
        self.pos_embed = pos_embed
        self.patch = nn.Linear(tubelet * 3 * patch_size**2, embed_channels, bias=False)
        self.line = RegionAttention(embed_channels, num_heads)
        self.frame = RegionAttention(embed_channels, num_heads)
        self.add_projector(projector, embed_channels, init_rms)

    def embed(self, block: UnitBlock) -> Tensor:
        """(U, h * w + h + 1, D) features of units of one size; one product and two attentions."""
        e_UhwD = self.patch(patchify(block.pixels.to(self.patch.weight.dtype), self.patch_size))
        u, h, w, width = e_UhwD.shape
        if self.pos_embed:
            e_UhwD = e_UhwD + _place_signal(h, w, width, e_UhwD.device).to(e_UhwD.dtype)
        line_UhD = self.line(e_UhwD.flatten(0, 1)).view(u, h, width)
        return delimit(e_UhwD, line_UhD, self.frame(e_UhwD.flatten(1, 2)))


@lru_cache(maxsize=64)
def _place_signal(h: int, w: int, width: int, device: torch.device) -> Tensor:
    """(h, w, D) sines and cosines of row and column, each counted from 0 to 1 over the frame."""
    with torch.inference_mode(False):  # cached: must be fit for a later backward pass
        freqs = math.pi / 2 * 64 ** torch.linspace(0, 1, width // 4, device="cpu")
        row = ((torch.arange(h, device="cpu") + 0.5) / h)[:, None] * freqs
        col = ((torch.arange(w, device="cpu") + 0.5) / w)[:, None] * freqs
        row = torch.cat((row.sin(), row.cos()), 1)[:, None].expand(h, w, -1)
        col = torch.cat((col.sin(), col.cos()), 1)[None].expand(h, w, -1)
        return torch.cat((row, col), -1).to(device)
