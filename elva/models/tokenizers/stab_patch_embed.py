"""Video-Panda's spatio-temporal alignment block: EVE's embedding, with patches and class tokens that see time.

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
from .stab_layers import ClipToken, LocalTimeEncoding


@TOKENIZERS.register_module()
class StabPatchEmbed(PatchTokenizer):
    """Spatio-temporal alignment block of Video-Panda (arXiv 2412.18609).

    1. Patches of half of ``patch_size`` see their neighbours in time, then in space and time (LSTE).
    2. They are added to what they were (dense skip), and every 2 x 2 of them become a token by local attention (LSD).
    3. A class token gathers the tokens of each unit (FSRA), another one all patches of the clip (GSTRA). ``FRAME`` is
       ``W LN((1 - s(b)) GSTRA + s(b) FSRA)``, ``s`` the sigmoid, ``b`` learned for each channel from 0.
    4. Each row ends with one learned vector (``LINE``).

    A clip's units of one size are neighbours, whatever stands between them: at hybrid resolution the full-size frames
    see each other, and the small ones each other.

    It has 24.08 M parameters at its sizes, and 45.06 M with the published projector (two layers, to 4096): the 45 M of
    the paper. What differs from the published code: LayerNorm for BatchNorm (:class:`~.stab_layers.LocalTimeEncoding`
    says why), GELU for its quick approximation, queries, keys and values of GSTRA without bias, no second LSTE that is
    never run, and clips of one frame are embedded like all others.

    Of its signals, ``attn`` is the attention of FSRA, ``keys`` the tokens before the projector, D channels.

    Args:
        out_channels: Width C of the language model.
        patch_size: Side of a token in pixels, even. Default: 28, patches of 14.
        tubelet: Successive frames of one size that make one unit; an incomplete one repeats its last frame. Default: 1.
        embed_channels: Width D of the embedding. Default: 1024.
        num_heads: Heads of all attentions; products of LSD and FSRA are scaled by D^-1/2, as published. Default: 8.
        dropout: In the MLP of GSTRA and before the last map of ``FRAME``. Default: 0.5.
        projector: ``'linear'`` or ``'mlp2x_gelu'``, from D to C. Default: ``'mlp2x_gelu'``.
        merge_lines: Whether ``LINE`` tokens have a slot, so that mergers may merge them. Default: True.
        init_rms: Root mean square of the output after initialisation. Default: 0.02.

    Raises:
        ValueError: If ``patch_size`` is odd, or ``embed_channels`` no multiple of ``num_heads``.
    """

    offers = frozenset({"attn", "keys"})
    mixes_time = True

    def __init__(
        self,
        out_channels: int,
        patch_size: int = 28,
        tubelet: int = 1,
        embed_channels: int = 1024,
        num_heads: int = 8,
        dropout: float = 0.5,
        projector: str = "mlp2x_gelu",
        merge_lines: bool = True,
        init_rms: float = 0.02,
    ) -> None:
        super().__init__(out_channels, LayoutSpec(patch_size, tubelet, merge_lines=merge_lines))
        self.patch_side = half_of(patch_size)
        width, scale = embed_channels, embed_channels**-0.5
        self.patch = nn.Linear(tubelet * 3 * self.patch_side**2, width, bias=False)
        self.local = LocalTimeEncoding(width)
        self.cell = CellAttention(width, num_heads, scale)
        self.frame = RegionAttention(width, num_heads, scale, std=1.0)
        self.clip = ClipToken(width, num_heads, dropout)
        self.balance = nn.Parameter(torch.zeros(width))
        self.summary = nn.Sequential(nn.LayerNorm(width), nn.Dropout(dropout), nn.Linear(width, width))
        self.line = nn.Parameter(torch.randn(width))
        self.add_projector(projector, width, init_rms)

    def embed(self, block: UnitBlock) -> Tensor:
        """(U, h * w + h + 1, D) features of the units of one size of all clips."""
        patch_UHWD = self.patch(patchify(block.pixels.to(self.patch.weight.dtype), self.patch_side))
        seen_UHWD = self.local(patch_UHWD, block.lengths)
        token_UhwD = self.cell(seen_UHWD + patch_UHWD)
        share_D = self.balance.sigmoid()
        frame_UD = self.frame(token_UhwD.flatten(1, 2))
        both_UD = (1 - share_D) * self.clip(seen_UHWD, block.lengths) + share_D * frame_UD
        return delimit(token_UhwD, self.line, self.summary(both_UD))
