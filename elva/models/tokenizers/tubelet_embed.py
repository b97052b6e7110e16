"""Plain tubelets: boxes of pixels through time, each one token, with nothing between them.

Legend: U temporal units, t frames of a unit, h w patches, H W pixels, D embedding width, C width of the language model.
"""

from collections.abc import Collection, Sequence

from torch import Tensor, nn

from elva.registry import TOKENIZERS
from elva.structures import Clip, FramePlan, VideoTokens

from .base import VideoTokenizer
from .layout import LayoutSpec, count_tokens, layout_of, patchify, stack_units, to_tokens
from .projector import build_projector, random_pixels, rescale_projector


@TOKENIZERS.register_module()
class TubeletEmbed(VideoTokenizer):
    """Tubelet embedding of ViViT (arXiv 2103.15691): one linear map of each box, and no ``FRAME`` or ``LINE``.

    With nothing to mark the end of a row, the language model tells a place by its position alone; supervisors that
    need ``FRAME`` tokens (``FrameContrast`` with ``source='frame'``) do not work with it.

    Args:
        out_channels: Width C of the language model.
        patch_size: Side of a patch in pixels. Default: 16.
        tubelet: Successive frames of one size that make one box; an incomplete one repeats its last frame. Default: 2.
        embed_channels: Width D of the embedding. Default: 1024.
        projector: ``'linear'`` or ``'mlp2x_gelu'``, from D to C. Default: ``'linear'``.
        init_rms: Root mean square of the output after initialisation. Default: 0.02.
    """

    def __init__(
        self,
        out_channels: int,
        patch_size: int = 16,
        tubelet: int = 2,
        embed_channels: int = 1024,
        projector: str = "linear",
        init_rms: float = 0.02,
    ) -> None:
        super().__init__()
        self.out_channels, self.patch_size, self.tubelet = out_channels, patch_size, tubelet
        self.spec = LayoutSpec(patch_size, tubelet, delimiters=False)
        self.patch = nn.Linear(tubelet * 3 * patch_size**2, embed_channels)
        self.projector = build_projector(projector, embed_channels, out_channels)
        self.match_scale(init_rms)

    def count(self, plan: FramePlan) -> int:
        """Tokens of a clip: the sum of h * w over its units."""
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
        """(U, h * w, C) features of units of one size, (U, t, 3, H, W)."""
        e_UhwD = self.patch(patchify(units_UtCHW.to(self.patch.weight.dtype), self.patch_size))
        return self.projector(e_UhwD.flatten(1, 2))

    def match_scale(self, rms: float) -> None:
        """Rescale the projector so that random pixels, N(0, 1), give tokens of root mean square ``rms``."""
        pixels = random_pixels(self.tubelet, self.patch_size)
        rescale_projector(self.projector, lambda: self.embed(pixels.to(self.patch.weight.device)), rms)
