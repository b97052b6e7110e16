"""Encoder-based baselines: an image transformer looks at each frame, and an MLP brings its patches to the LLM.

Legend: F frames, S side in pixels, h w tokens of a frame, n tokens of a frame with newlines, D width of the encoder,
C width of the language model.
"""

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from elva.models.vision_load import Owner
from elva.models.vision_tower import VisionTower
from elva.registry import TOKENIZERS
from elva.structures import Clip, FramePlan, VideoTokens

from .base import VideoTokenizer
from .layout import LayoutSpec, count_tokens, delimit, layout_of, place, stack_units, to_tokens
from .llava_weights import load_projector
from .pool import pool_grid, pool_mass, pooled_side
from .projector import ENOUGH, build_projector, random_frames, rescale
from .renormalise import Renormalise

_OWNER = Owner(
    name="FrameEncoder",
    key="model.tokenizer",
    example="google/siglip-so400m-patch14-384",
    otherwise="use a tokenizer without an encoder, such as ElvaPatchEmbed",
)
_NEWLINES = (None, "row", "frame", "video")


@TOKENIZERS.register_module()
class FrameEncoder(VideoTokenizer):
    """A vision transformer per frame, a projector, pooling, and newlines: the layout of the LLaVA family.

    LLaVA-OneVision (arXiv 2408.03326) is the default: an MLP of two layers, 27 x 27 patches pooled to 14 x 14 = 196
    tokens a frame, and one newline after the last frame. LLaVA-Video (arXiv 2410.02713) has ``newline='row'``.
    Frames must be squares of the encoder's side, which ``FixedResolution`` gives; its resampling is bilinear, where
    the published processors' is bicubic. ``patch_size`` is that side: a frame is the one patch of which the encoder
    makes a grid, and a rest of it that the encoder does not see (384 = 27 * 14 + 6) is its own affair.

    Args:
        out_channels: Width C of the language model.
        path: Directory or hub name of the encoder (SigLIP, CLIP, DINOv2, ...), of a model with two towers, or of a
            LLaVA in transformers' layout, whose own tower is taken. Default: None, random weights.
        config: ``model_type`` and keys of its shape: for random weights, and for dry runs without files.
        layer: Which hidden state of the encoder, without its final norm; -2 is the last but one. Checkpoints converted
            to transformers have lost what lies behind it, and take -1. Default: -2.
        final_norm: Apply the encoder's final norm all the same. Default: False.
        frozen: Do not train the encoder. Default: True.
        dtype: Of the encoder's weights. Default: ``'float32'``.
        projector: ``'mlp2x_gelu'`` or ``'linear'``, from D to C. Default: ``'mlp2x_gelu'``.
        projector_path: A LLaVA checkpoint whose projector and newline to start from; they keep their scale. Default:
            None, random weights at the scale of the language model's embeddings.
        pool: ``'bilinear'`` (as published), ``'average'`` or None, see :func:`~.pool.pool_grid`. Default: bilinear.
        newline: Where the learned newline stands: after each ``'row'``, ``'frame'``, ``'video'``, or None. It is a
            ``LINE``; that of a video has ``frame`` -1. Default: ``'video'``.
        merge_lines: Whether newlines of rows and frames have a slot, so that mergers may merge them. Default: True.
        pixel_mean: ``mean`` of the data preprocessor. Pixels are turned from its normalisation to the encoder's own, so
            that any encoder is right with the default preprocessor. Default: its default.
        pixel_std: Its ``std``. Default: its default.

    Raises:
        FileNotFoundError: If there are no weights at ``path`` or ``projector_path``.
        ValueError: If they do not fit, or an option is unknown.
    """

    offers = frozenset({"attn", "keys"})
    tubelet = 1

    def __init__(
        self,
        out_channels: int,
        path: str | None = None,
        config: dict[str, Any] | None = None,
        layer: int = -2,
        final_norm: bool = False,
        frozen: bool = True,
        dtype: str = "float32",
        projector: str = "mlp2x_gelu",
        projector_path: str | None = None,
        pool: str | None = "bilinear",
        newline: str | None = "video",
        merge_lines: bool = True,
        pixel_mean: Sequence[float] = (127.5, 127.5, 127.5),
        pixel_std: Sequence[float] = (127.5, 127.5, 127.5),
    ) -> None:
        super().__init__()
        if newline not in _NEWLINES:
            raise ValueError(f"newline='{newline}' of the tokenizer is unknown; use one of {_NEWLINES}.")
        self.out_channels, self.pool, self.newline_after = out_channels, pool, newline
        self.tower = VisionTower(_OWNER, path, config, layer, final_norm, dtype)
        if frozen:
            self.tower.requires_grad_(False)
        self.patch_size, side = self.tower.image_size, pooled_side(self.tower.grid, pool)
        self.spec = LayoutSpec(
            self.patch_size,
            frame_token=False,
            line_token=newline == "row",
            merge_lines=merge_lines,
            grid=(side, side),
            unit_end=newline == "frame",
            clip_end=newline == "video",
        )
        self.pixels = Renormalise(pixel_mean, pixel_std, self.tower.mean, self.tower.std)
        self.projector = build_projector(projector, self.tower.channels, out_channels)
        self.newline = nn.Parameter(torch.randn(out_channels) * out_channels**-0.5) if newline else None
        self.loaded = projector_path is not None
        if projector_path is not None and torch.get_default_device().type != "meta":
            load_projector(projector_path, self.projector, self.newline)

    def count(self, plan: FramePlan) -> int:
        """Tokens of a clip: h * w a frame, and the newlines."""
        return count_tokens(plan, self.spec)

    def forward(self, clips: Sequence[Clip], signals: Collection[str] = ()) -> VideoTokens:
        """Tokens of the clips; all their frames go through the encoder at once.

        ``attn`` and ``keys`` are those of the last layer that the encoder runs; they are pooled as the features are,
        and newlines have none. Where there is a class token, ``attn`` of a frame sums to less than 1: what that token
        gives itself and the registers is left out, and the rest is as the encoder has it.
        """
        layout = layout_of(clips, self.spec, self._weight.device)
        (block,) = stack_units(clips, layout, self.tubelet)
        seen = self.tower(self.pixels(block.pixels[:, 0]), signals)
        x_FhwC = self._project(seen["x"])
        tokens = to_tokens(self._with_newlines(x_FhwC, self.newline), clips, layout)
        if "keys" in signals:
            tokens = tokens.replace(keys=place(self._with_newlines(pool_grid(seen["keys"], self.pool)), layout))
        if "attn" in signals:
            attn_Fhw1 = pool_mass(seen["attn"], self.pool)[..., None]
            tokens = tokens.replace(attn=place(self._with_newlines(attn_Fhw1), layout)[..., 0])
        return tokens

    def match_scale(self, rms: float) -> None:
        """Rescale a projector that was not loaded, so that noise gives tokens of root mean square ``rms``."""
        if self.loaded or self._weight.is_meta:
            return
        side = pooled_side(self.tower.grid, self.pool)
        noise = random_frames(-(-ENOUGH // side**2), self.patch_size).to(self._weight.device)
        rescale(self.projector[-1], lambda: self._project(self.tower(self.pixels(noise))["x"]), rms)
        if self.newline is not None:
            with torch.no_grad():
                self.newline.mul_(rms / self.newline.square().mean().sqrt())

    @property
    def _weight(self) -> Tensor:
        return next(self.projector.parameters())

    def _project(self, x_FhwD: Tensor) -> Tensor:
        """(F, h, w, C) projected, then pooled."""
        return pool_grid(self.projector(x_FhwD.to(self._weight.dtype)), self.pool)

    def _with_newlines(self, x_FhwC: Tensor, newline_C: Tensor | None = None) -> list[Tensor]:
        """(F, n, C) tokens of the frames, and (1, 1, C) the end of a clip where there is one; 0 without a newline."""
        line_C = x_FhwC.new_zeros(x_FhwC.shape[-1]) if newline_C is None else newline_C.to(x_FhwC.dtype)
        rows_FnC = delimit(x_FhwC, line_C if self.spec.line_token else None)
        if self.spec.unit_end:
            rows_FnC = torch.cat((rows_FnC, line_C.expand(len(rows_FnC), 1, -1)), 1)
        return [rows_FnC, line_C[None, None]] if self.spec.clip_end else [rows_FnC]
