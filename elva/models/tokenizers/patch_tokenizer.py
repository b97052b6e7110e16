"""What tokenizers share that cut frames into patches and embed each temporal unit at once.

Legend: U temporal units, t frames of a unit, h w patches, n tokens of a unit, H W pixels, D embedding width, C width
of the language model.
"""

from abc import abstractmethod
from collections.abc import Collection, Sequence

from torch import Tensor, nn

from elva.structures import Clip, FramePlan, VideoTokens

from .base import VideoTokenizer
from .layout import LayoutSpec, UnitBlock, count_tokens, delimit, layout_of, patches_of, place, stack_units, to_tokens
from .projector import build_projector, random_pixels, rescale
from .region_attention import RegionAttention

NOISE_GRID = (4, 4)
"""Of :func:`~.projector.random_pixels`."""


class PatchTokenizer(VideoTokenizer):
    """A patch map, something of the tokenizer's own, a projector.

    A subclass builds ``patch``, then its own parts, then calls ``add_projector``, and writes ``embed``; one that
    offers ``'attn'`` makes ``FRAME`` by a :class:`RegionAttention` called ``frame``, or writes ``frame_attention``.
    All frames of one size in a batch are embedded together.

    Args:
        out_channels: Width C of the language model.
        spec: How it cuts a clip, and which tokens it makes.

    Attributes:
        patch: The map of a patch's pixels, in the order of :func:`~.layout.patchify`.
        projector: From D to C.
    """

    offers = frozenset({"keys"})
    patch: nn.Linear
    projector: nn.Sequential

    def __init__(self, out_channels: int, spec: LayoutSpec) -> None:
        super().__init__()
        self.out_channels, self.spec = out_channels, spec
        self.patch_size, self.tubelet = spec.patch_size, spec.tubelet

    def add_projector(self, kind: str, embed_channels: int, rms: float) -> None:
        """The last step of a constructor: the projector, at the scale of the language model's embeddings."""
        self.projector = build_projector(kind, embed_channels, self.out_channels)
        self.match_scale(rms)

    @abstractmethod
    def embed(self, block: UnitBlock) -> Tensor:
        """(U, n, D) tokens of units of one size before the projector, in the order of ``spec``."""

    def frame_attention(self, patch_UhwD: Tensor) -> Tensor:
        """(U, h, w) float32: how much the summary of a unit looks at each of its patches; sums to 1."""
        assert isinstance(self.frame, RegionAttention)
        return self.frame.weights(patch_UhwD.flatten(1, 2)).unflatten(1, patch_UhwD.shape[1:3])

    def count(self, plan: FramePlan) -> int:
        return count_tokens(plan, self.spec)

    def forward(self, clips: Sequence[Clip], signals: Collection[str] = ()) -> VideoTokens:
        if not self.offers.issuperset(signals):
            raise ValueError(f"{type(self).__name__} offers {sorted(self.offers)}, not all of {sorted(signals)}.")
        layout = layout_of(clips, self.spec, self.patch.weight.device)
        blocks = stack_units(clips, layout, self.tubelet)
        embedded = [self.embed(block) for block in blocks]
        tokens = to_tokens([self.projector(e_UnD) for e_UnD in embedded], clips, layout)
        if "keys" in signals:
            tokens = tokens.replace(keys=place(embedded, layout))
        if "attn" in signals:
            attn = [self._attention(e_UnD, block) for e_UnD, block in zip(embedded, blocks, strict=True)]
            tokens = tokens.replace(attn=place(attn, layout).squeeze(-1))
        return tokens

    def _attention(self, e_UnD: Tensor, block: UnitBlock) -> Tensor:
        """(U, n, 1) what ``frame_attention`` says, and 0 for tokens that are no patches."""
        attn_Uhw1 = self.frame_attention(patches_of(e_UnD, block.grid, self.spec))[..., None]
        none = attn_Uhw1.new_zeros(1)
        return delimit(attn_Uhw1, none if self.spec.line_token else None, none if self.spec.frame_token else None)

    def match_scale(self, rms: float) -> None:
        """Rescale the projector so that random pixels, N(0, 1), give tokens of root mean square ``rms``."""
        rescale(self.projector[-1], self.of_random_pixels, rms)

    def of_random_pixels(self) -> Tensor:
        """(U, n, C) tokens of random frames of ``NOISE_GRID``, as in evaluation."""
        pixels = random_pixels(self.tubelet, self.patch_size).to(self.patch.weight.device)
        training = self.training
        out_UnC = self.eval().projector(self.embed(UnitBlock(pixels, NOISE_GRID, (len(pixels),))))
        self.train(training)
        return out_UnC
