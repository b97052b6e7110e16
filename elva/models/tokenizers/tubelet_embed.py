"""Plain tubelets: boxes of pixels through time, each one token, with nothing between them.

Legend: U temporal units, h w patches, D embedding width, C width of the language model.
"""

from torch import Tensor, nn

from elva.registry import TOKENIZERS

from .layout import LayoutSpec, UnitBlock, delimit, patchify
from .patch_tokenizer import PatchTokenizer


@TOKENIZERS.register_module()
class TubeletEmbed(PatchTokenizer):
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
        super().__init__(out_channels, LayoutSpec(patch_size, tubelet, frame_token=False, line_token=False))
        self.patch = nn.Linear(tubelet * 3 * patch_size**2, embed_channels)
        self.add_projector(projector, embed_channels, init_rms)

    def embed(self, block: UnitBlock) -> Tensor:
        """(U, h * w, D) features of units of one size."""
        return delimit(self.patch(patchify(block.pixels.to(self.patch.weight.dtype), self.patch_size)))
