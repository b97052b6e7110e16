"""Video-ChatGPT's video tokens: one mean for each frame, and one for each place.

Legend: B clips, T frames of the longest, F frames of all clips, N tokens of the longest, h w places, P = h * w,
D width of the encoder, C width of the language model.
"""

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from elva.models.vision_load import Owner
from elva.models.vision_tower import VisionTower
from elva.registry import TOKENIZERS
from elva.structures import Clip, FramePlan, Kind, SourceMap, VideoTokens

from .base import VideoTokenizer
from .layout import LayoutSpec, layout_of, stack_units, units_of
from .projector import build_projector, random_frames, rescale
from .renormalise import Renormalise

_OWNER = Owner(
    name="MeanPooledFrames",
    key="model.tokenizer",
    example="openai/clip-vit-large-patch14",
    otherwise="use a tokenizer without an encoder, such as ElvaPatchEmbed",
)


@TOKENIZERS.register_module()
class MeanPooledFrames(VideoTokenizer):
    """The layout of Video-ChatGPT (arXiv 2306.05424): T + h * w tokens a clip, however long its frames are.

    The features of each frame are averaged over its places (T tokens), and those of each place over the frames (h * w
    tokens); a projector brings both to the language model, the frames' first, as published. CLIP-L/14 at 224 pixels
    makes 356 tokens of 100 frames. A frame's token is its summary, a ``FRAME``; a place's is a ``PATCH`` that spans
    frames (``frame`` -1) and stands for one patch of each. The published code fills up short videos with zeros to 100
    frame tokens; here there are as many as frames.

    Args:
        out_channels: Width C of the language model.
        path: Directory or hub name of the encoder. Default: None, random weights.
        config: ``model_type`` and keys of its shape: for random weights, and for dry runs without files.
        layer: Which hidden state of the encoder, without its final norm. Default: -2.
        frozen: Do not train the encoder. Default: True.
        dtype: Of the encoder's weights. Default: ``'float32'``.
        projector: ``'linear'`` (as published) or ``'mlp2x_gelu'``. Default: ``'linear'``.
        pixel_mean: ``mean`` of the data preprocessor, see :class:`FrameEncoder`. Default: its default.
        pixel_std: Its ``std``. Default: its default.

    Raises:
        FileNotFoundError: If there are no weights at ``path``.
        ValueError: If they do not fit.
    """

    tubelet = 1
    makes_grid = False
    mixes_time = True

    def __init__(
        self,
        out_channels: int,
        path: str | None = None,
        config: dict[str, Any] | None = None,
        layer: int = -2,
        frozen: bool = True,
        dtype: str = "float32",
        projector: str = "linear",
        pixel_mean: Sequence[float] = (127.5, 127.5, 127.5),
        pixel_std: Sequence[float] = (127.5, 127.5, 127.5),
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.tower = VisionTower(_OWNER, path, config, layer, dtype=dtype)
        if frozen:
            self.tower.requires_grad_(False)
        self.patch_size, self.side = self.tower.image_size, self.tower.grid
        self.pixels = Renormalise(pixel_mean, pixel_std, self.tower.mean, self.tower.std)
        self.projector = build_projector(projector, self.tower.channels, out_channels)
        self._frames = LayoutSpec(
            self.patch_size, frame_token=False, line_token=False, grid=(self.side, self.side)
        )  # how the frames are read; the tokens are described below

    def count(self, plan: FramePlan) -> int:
        """Tokens of a clip: one a frame, and one a place."""
        return len(units_of(plan.sizes, self._frames)) + self.side**2

    def forward(self, clips: Sequence[Clip], signals: Collection[str] = ()) -> VideoTokens:
        """Tokens of the clips; all their frames go through the encoder at once."""
        if signals:
            raise ValueError(f"MeanPooledFrames offers no signals, but {sorted(signals)} are asked for.")
        layout = layout_of(clips, self._frames, self._weight.device)
        (block,) = stack_units(clips, layout, self.tubelet)
        return self._describe(self._tokens_of(block.pixels[:, 0], block.lengths), clips)

    def match_scale(self, rms: float) -> None:
        """Rescale the projector so that four frames of noise give tokens of root mean square ``rms``."""
        rescale(self.projector[-1], self._of_noise, rms)

    def _of_noise(self) -> Tensor:
        noise = random_frames(4, self.patch_size).to(self._weight.device)
        return self._tokens_of(noise, (len(noise),))

    @property
    def _weight(self) -> Tensor:
        return next(self.projector.parameters())

    def _tokens_of(self, pixels_FCHW: Tensor, lengths: Sequence[int]) -> Tensor:
        """(F + B * P, C) one token for each frame, then one for each place of each clip of so many frames."""
        x_FPD = self.tower(self.pixels(pixels_FCHW))["x"].flatten(1, 2)
        places_BPD = torch.stack([x_TPD.mean(0) for x_TPD in x_FPD.split(list(lengths))])
        rows = torch.cat((x_FPD.mean(1), places_BPD.flatten(0, 1)))
        return self.projector(rows.to(self._weight.dtype))

    def _describe(self, rows_XC: Tensor, clips: Sequence[Clip]) -> VideoTokens:
        """The tokens, from one row for each frame of each clip, then one for each place of each clip."""
        device, side, places = rows_XC.device, self.side, self.side**2
        frames_B1 = torch.tensor([[len(clip.plan)] for clip in clips], device=device)
        longest = max(len(clip.plan) for clip in clips)
        at_N = torch.arange(longest + places, device=device)
        valid = at_N < frames_B1 + places
        is_frame = at_N < frames_B1
        place = (at_N - frames_B1).clamp(0, places - 1)
        first_B1 = frames_B1.cumsum(0) - frames_B1
        nth_B1 = torch.arange(len(clips), device=device)[:, None]
        row = torch.where(is_frame, first_B1 + at_N, frames_B1.sum() + nth_B1 * places + place).masked_fill(~valid, 0)
        middle = torch.tensor((side - 1) / 2, device=device)
        time, line, column = (
            torch.where(is_frame, whole, of_places)
            for whole, of_places in (
                (at_N.float(), (frames_B1 - 1) / 2),
                (middle, (place // side).float()),
                (middle, (place % side).float()),
            )
        )
        kind = torch.where(is_frame, int(Kind.FRAME), int(Kind.PATCH))
        return VideoTokens(
            x=rows_XC[row].masked_fill(~valid[..., None], 0),
            pos=torch.stack((time, line, column), -1).masked_fill(~valid[..., None], 0),
            seconds=self._seconds(clips, longest + places, device).masked_fill(~valid, 0),
            size=torch.where(is_frame, 1, frames_B1).float().masked_fill(~valid, 0),
            frame=torch.where(is_frame, at_N, -1),
            slot=torch.where(is_frame | ~valid, -1, place),
            grid=valid[..., None].long().expand(-1, -1, 2) * side,
            kind=kind.masked_fill(~valid, int(Kind.PAD)),
            valid=valid,
            src=SourceMap.identity(valid),
        )

    @staticmethod
    def _seconds(clips: Sequence[Clip], length: int, device: torch.device) -> Tensor:
        """(B, N) the time of each frame, then the mean of them."""
        times = [clip.plan.seconds for clip in clips]
        rows = [[*t, *[sum(t) / len(t)] * (length - len(t))] for t in times]
        return torch.tensor(rows, dtype=torch.float32, device=device)
