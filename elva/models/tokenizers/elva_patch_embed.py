"""ELVA's video patch embedding: patches, and ``FRAME`` and ``LINE`` tokens that gather them.

Legend: U temporal units, t frames of a unit, h w patches, n tokens of a unit or keys of a region, G regions, K heads,
E channels of a head, D embedding width, C width of the language model.
"""

import math
from collections.abc import Collection, Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elva.registry import TOKENIZERS
from elva.structures import Clip, FramePlan, VideoTokens

from .base import VideoTokenizer
from .layout import LayoutSpec, count_tokens, layout_of, patchify, stack_units, to_tokens
from .projector import build_projector, random_pixels, rescale_projector


class RegionAttention(nn.Module):
    """A learned token that gathers a region by multi-head cross-attention: ``l + Wo MHA(Wq LN(l), Wkv LN(region))``.

    The query is one vector whatever the region, so the projections move out of the sum over keys: ``q . (Wk x)`` is
    ``(Wk' q) . x``, and ``sum a Wv x`` is ``Wv sum a x``. The keys and values are then the region itself, which is
    exact, and costs 2 K products a patch and channel instead of 2 D.

    Args:
        width: D, channels of the region and of the token.
        num_heads: K.
    """

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.token = nn.Parameter(torch.randn(width) * 0.02)
        self.norm_q = nn.LayerNorm(width)
        self.norm_kv = nn.LayerNorm(width)
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, region_GnD: Tensor) -> Tensor:
        """(G, D) the token as each region (G, n, D) fills it."""
        heads, width = self.num_heads, region_GnD.shape[-1]
        q_KE = self.q(self.norm_q(self.token)).view(heads, -1)
        key_KED, value_KED = self.kv.weight.view(2, heads, -1, width)
        query_KD = torch.einsum("ke,ked->kd", q_KE, key_KED)
        x_GnD = self.norm_kv(region_GnD)
        query_GKD = query_KD.to(x_GnD.dtype).expand(len(x_GnD), -1, -1)
        pooled_GKD = F.scaled_dot_product_attention(query_GKD, x_GnD, x_GnD, scale=q_KE.shape[1] ** -0.5)
        gathered_GKE = torch.einsum("gkd,ked->gke", pooled_GKD, value_KED)
        gathered_GD = self.out(gathered_GKE.flatten(1))
        return self.token.to(gathered_GD.dtype) + gathered_GD


@TOKENIZERS.register_module()
class ElvaPatchEmbed(VideoTokenizer):
    """Video patch embedding of ELVA (arXiv 2503.18422), about 9 M parameters at width 1024 without the projector.

    Each temporal unit becomes ``FRAME``, then each row of patches followed by its ``LINE``. ``FRAME`` gathers the
    patches of its unit and ``LINE`` those of its row by cross-attention. ``FRAME`` stands first, so that under a
    causal mask everything it knows of its own frame comes from here.

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
        super().__init__()
        if embed_channels % num_heads or embed_channels % 4:
            raise ValueError(
                f"ElvaPatchEmbed: embed_channels={embed_channels} must be a multiple of num_heads={num_heads} and of 4."
            )
        self.out_channels, self.patch_size, self.tubelet = out_channels, patch_size, tubelet
        self.pos_embed = pos_embed
        self.spec = LayoutSpec(patch_size, tubelet, merge_lines=merge_lines)
        self.patch = nn.Linear(tubelet * 3 * patch_size**2, embed_channels, bias=False)
        self.line = RegionAttention(embed_channels, num_heads)
        self.frame = RegionAttention(embed_channels, num_heads)
        self.projector = build_projector(projector, embed_channels, out_channels)
        self.match_scale(init_rms)

    def count(self, plan: FramePlan) -> int:
        """Tokens of a clip: the sum of h * w + h + 1 over its units."""
        return count_tokens(plan, self.spec)

    def forward(self, clips: Sequence[Clip], signals: Collection[str] = ()) -> VideoTokens:
        """Tokens of the clips; one product and two attentions for each distinct frame size of the batch.

        Raises:
            ValueError: If a frame's side is not a multiple of the patch, or pixels are not normalised.
        """
        del signals
        layout = layout_of(clips, self.spec, self.patch.weight.device)
        blocks = [self.embed(units) for units in stack_units(clips, layout, self.tubelet)]
        return to_tokens(blocks, clips, layout)

    def embed(self, units_UtCHW: Tensor) -> Tensor:
        """(U, h * w + h + 1, C) features of units of one size, (U, t, 3, H, W)."""
        e_UhwD = self.patch(patchify(units_UtCHW.to(self.patch.weight.dtype), self.patch_size))
        u, h, w, width = e_UhwD.shape
        if self.pos_embed:
            e_UhwD = e_UhwD + _place_signal(h, w, width, e_UhwD.device).to(e_UhwD.dtype)
        line_UhD = self.line(e_UhwD.flatten(0, 1)).view(u, h, 1, width)
        frame_UD = self.frame(e_UhwD.flatten(1, 2)).view(u, 1, width)
        rows_UnD = torch.cat((e_UhwD, line_UhD), 2).flatten(1, 2)
        return self.projector(torch.cat((frame_UD, rows_UnD), 1))

    def match_scale(self, rms: float) -> None:
        """Rescale the projector so that random pixels, N(0, 1), give tokens of root mean square ``rms``."""
        pixels = random_pixels(self.tubelet, self.patch_size)
        rescale_projector(self.projector, lambda: self.embed(pixels.to(self.patch.weight.device)), rms)


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
