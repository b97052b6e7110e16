"""Encoder-based baselines whose encoder sees time: VideoMAE and V-JEPA 2.

Legend: U temporal units (tubelets), t frames of a unit, M chunks, K frames of a chunk, S side in pixels, h w tokens of
a unit, D width of the encoder, C width of the language model.
"""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from elva.models.vision_load import Owner, keep_layers, load_tower, normalisation, read_config, square_side
from elva.registry import TOKENIZERS
from elva.structures import Clip, FramePlan, VideoTokens

from .base import VideoTokenizer
from .layout import LayoutSpec, count_tokens, layout_of, stack_units, to_tokens
from .pool import pool_grid, pooled_side
from .projector import ENOUGH, build_projector, random_frames, rescale
from .renormalise import Renormalise

_OWNER = Owner(
    name="VideoEncoder",
    key="model.tokenizer",
    example="MCG-NJU/videomae-base",
    otherwise="use a tokenizer without an encoder, such as ElvaPatchEmbed",
)
_KEYS = {"videomae": ("image_size", "num_frames"), "vjepa2": ("crop_size", "frames_per_clip")}
"""What the families call the side and the number of frames."""


@TOKENIZERS.register_module()
class VideoEncoder(VideoTokenizer):
    """VideoMAE (arXiv 2203.12602) or V-JEPA 2 (arXiv 2506.09985), and a projector.

    A clip goes through the encoder in chunks of its number of frames; a last chunk that is not full repeats the last
    frame, and the tokens of what was repeated are dropped. A token is a tubelet of (usually) 2 frames; ``frame`` counts
    tubelets. There are no ``FRAME`` and ``LINE`` tokens. Frames must be squares of the encoder's side.

    Args:
        out_channels: Width C of the language model.
        path: Directory or hub name. Default: None, random weights.
        config: ``model_type`` (``'videomae'`` or ``'vjepa2'``) and keys of its shape: for random weights, and for dry
            runs without files.
        layer: Which hidden state of the encoder. Default: -1, the last.
        final_norm: Apply the encoder's final norm to it, where it has one. Default: True.
        frozen: Do not train the encoder. Default: True.
        dtype: Of the encoder's weights. Default: ``'float32'``.
        projector: ``'mlp2x_gelu'`` or ``'linear'``, from D to C. Default: ``'mlp2x_gelu'``.
        pool: ``'bilinear'``, ``'average'`` or None, see :func:`~.pool.pool_grid`. Default: None.
        chunk: Frames of a chunk, K. VideoMAE takes its own number alone; V-JEPA 2, whose positions rotate, any multiple
            of its tubelet. Default: None, the number that the encoder was trained with.
        pixel_mean: ``mean`` of the data preprocessor, see :class:`FrameEncoder`. Default: its default.
        pixel_std: Its ``std``. Default: its default.

    Raises:
        FileNotFoundError: If there are no weights at ``path``.
        ValueError: If they are of another family, or an option does not fit.
    """

    mixes_time = True

    def __init__(
        self,
        out_channels: int,
        path: str | None = None,
        config: dict[str, Any] | None = None,
        layer: int = -1,
        final_norm: bool = True,
        frozen: bool = True,
        dtype: str = "float32",
        projector: str = "mlp2x_gelu",
        pool: str | None = None,
        chunk: int | None = None,
        pixel_mean: Sequence[float] = (127.5, 127.5, 127.5),
        pixel_std: Sequence[float] = (127.5, 127.5, 127.5),
    ) -> None:
        super().__init__()
        shape = read_config(_OWNER, path, config)
        if shape.model_type not in _KEYS:
            raise ValueError(f"VideoEncoder takes {' or '.join(_KEYS)}, but {path} is a {shape.model_type}.")
        side_key, frames_key = _KEYS[shape.model_type]
        side, patch = (square_side(_OWNER, shape, key) for key in (side_key, "patch_size"))
        self.out_channels, self.pool, self.patch_size = out_channels, pool, side
        self.tubelet, self.chunk = int(shape.tubelet_size), chunk or int(getattr(shape, frames_key))
        if self.chunk % self.tubelet or (shape.model_type == "videomae" and self.chunk != shape.num_frames):
            raise ValueError(
                f"VideoEncoder: chunk={chunk} does not fit a {shape.model_type} of {getattr(shape, frames_key)} frames "
                f"in tubelets of {self.tubelet}; leave it out."
            )
        model = load_tower(_OWNER, path, shape, dtype)
        self.encoder = model.get_submodule("encoder") if shape.model_type == "vjepa2" else model
        keep_layers(_OWNER, self.encoder, layer, final_norm)
        if frozen:
            self.encoder.requires_grad_(False)
        self.side = side // patch
        rows = pooled_side(self.side, pool)
        self.spec = LayoutSpec(side, self.tubelet, frame_token=False, line_token=False, grid=(rows, rows))
        self.pixels = Renormalise(pixel_mean, pixel_std, *normalisation(path, shape.model_type))
        self.projector = build_projector(projector, int(shape.hidden_size), out_channels)

    def count(self, plan: FramePlan) -> int:
        """Tokens of a clip: h * w a tubelet."""
        return count_tokens(plan, self.spec)

    def forward(self, clips: Sequence[Clip], signals: Collection[str] = ()) -> VideoTokens:
        """Tokens of the clips; all their chunks go through the encoder at once."""
        if signals:
            raise ValueError(f"VideoEncoder offers no signals, but {sorted(signals)} are asked for.")
        layout = layout_of(clips, self.spec, self._weight.device)
        (block,) = stack_units(clips, layout, self.tubelet)
        frames, units = _chunked(block.lengths, self.tubelet, self.chunk, self._weight.device)
        chunks_MKCHW = self.pixels(block.pixels.flatten(0, 1))[frames].unflatten(0, (-1, self.chunk))
        return to_tokens([self._embed(chunks_MKCHW)[units].flatten(1, 2)], clips, layout)

    def match_scale(self, rms: float) -> None:
        """Rescale the projector so that noise gives tokens of root mean square ``rms``."""
        rescale(self.projector[-1], self._of_noise, rms)

    def _of_noise(self) -> Tensor:
        """(U, h, w, C) the units of as many chunks of noise as its scale takes to be told."""
        frames = -(-ENOUGH // self.side**2) * self.tubelet
        noise = random_frames(-(-frames // self.chunk) * self.chunk, self.patch_size).to(self._weight.device)
        return self._embed(self.pixels(noise).unflatten(0, (-1, self.chunk)))

    @property
    def _weight(self) -> Tensor:
        return next(self.projector.parameters())

    def _embed(self, chunks_MKCHW: Tensor) -> Tensor:
        """(U, h, w, C) the units of all chunks."""
        pixels = chunks_MKCHW.to(next(self.encoder.parameters()).dtype)
        x = self.encoder(pixels).last_hidden_state  # (M, K / t * h * w, D)
        x_UhwD = x.unflatten(1, (self.chunk // self.tubelet, self.side, self.side)).flatten(0, 1)
        return pool_grid(self.projector(x_UhwD.to(self._weight.dtype)), self.pool)


@lru_cache(maxsize=64)
def _chunked(lengths: tuple[int, ...], tubelet: int, chunk: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The frame of each place of each chunk, and the units of the chunks that are the clips' own.

    Args:
        lengths: Units of each clip.
        tubelet: Frames of a unit.
        chunk: Frames of a chunk.
        device: Where the frames are.
    """
    frames, units, first_frame, first_unit = list[int](), list[int](), 0, 0
    for length in lengths:
        own = length * tubelet
        full = -(-own // chunk) * chunk
        frames += [first_frame + min(i, own - 1) for i in range(full)]
        units += range(first_unit, first_unit + length)
        first_frame, first_unit = first_frame + own, first_unit + full // tubelet
    with torch.inference_mode(False):  # cached: must be fit for a later backward pass
        return torch.tensor(frames, device="cpu").to(device), torch.tensor(units, device="cpu").to(device)
