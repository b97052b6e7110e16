"""The naive patch embedding that ELVA is compared with: ``FRAME`` and ``LINE`` look at nothing.

Legend: U temporal units, t frames of a unit, h w patches, n tokens of a unit, H W pixels, D embedding width, C width
of the language model.
"""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn

from elva.registry import TOKENIZERS
from elva.structures import Clip, FramePlan, VideoTokens

from .base import VideoTokenizer
from .layout import LayoutSpec, count_tokens, layout_of, patchify, stack_units, to_tokens
from .projector import build_projector, random_pixels, rescale_projector


@TOKENIZERS.register_module()
class LinearPatchEmbed(VideoTokenizer):
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
        super().__init__()
        self.out_channels, self.patch_size, self.tubelet = out_channels, patch_size, tubelet
        self.spec = LayoutSpec(patch_size, tubelet, merge_lines=merge_lines)
        self.patch = nn.Linear(tubelet * 3 * patch_size**2, embed_channels, bias=False)
        self.line = nn.Parameter(torch.randn(embed_channels) * 0.02)
        self.frame = nn.Parameter(torch.randn(embed_channels) * 0.02)
        self.projector = build_projector(projector, embed_channels, out_channels)
        self.match_scale(init_rms)

    def count(self, plan: FramePlan) -> int:
        """Tokens of a clip: the sum of h * w + h + 1 over its units."""
        return count_tokens(plan, self.spec)

    def forward(self, clips: Sequence[Clip], signals: Collection[str] = ()) -> VideoTokens:
        """Tokens of the clips.

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
        u, h, _, width = e_UhwD.shape
        line_UhD = self.line.to(e_UhwD.dtype).expand(u, h, 1, width)
        frame_UD = self.frame.to(e_UhwD.dtype).expand(u, 1, width)
        rows_UnD = torch.cat((e_UhwD, line_UhD), 2).flatten(1, 2)
        return self.projector(torch.cat((frame_UD, rows_UnD), 1))

    def match_scale(self, rms: float) -> None:
        """Rescale the projector so that random pixels, N(0, 1), give tokens of root mean square ``rms``."""
        pixels = random_pixels(self.tubelet, self.patch_size)
        rescale_projector(self.projector, lambda: self.embed(pixels.to(self.patch.weight.device)), rms)
