"""What did not change since the frame before is dropped.

Legend: B videos, N tokens, T frames, S sites of a frame, C channels, P pixels of a patch (and their colours).
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from elva.models.mergers.similarity import check_ratio, most_similar
from elva.registry import REDUCERS
from elva.structures import Kind, VideoTokens

from .base import ReduceContext, TokenReducer
from .grid import frame_number
from .patch_pixels import patch_pixels
from .sites import Sites

Mode = Literal["feature", "pixel"]
Reference = Literal["prev", "last_kept"]
Likeness = Callable[[Tensor, Tensor], Tensor]
"""From the tokens (B, S) of one frame and those that they are compared with to (B, S), the greater the more alike."""

_THRESHOLDS = {"feature": 0.5, "pixel": 0.1}


@REDUCERS.register_module()
class DTD(TokenReducer):
    """Differential token dropping: a patch stays only where it differs from the same place one frame before.

    The first frame of each grid stays whole. A ``LINE`` stays while any patch of its row does, if it has a slot;
    ``FRAME`` tokens stay. No token changes, and those left keep their positions.

    A stream is reduced in chunks by putting before each what the next frame is compared with: the frame before, or for
    ``'last_kept'`` the last token kept at each place; they come out again, and the rest is as if all came at once.

    Source: TimeChat-Online (arXiv 2504.17343), section on DTD. The published code compares, in pixel mode, the first
    half of one two-frame patch with the second half of the next; here each patch is that of the first frame of its
    tubelet. In slow drift each step is small, so the published reference, the frame before, keeps the first
    frame alone; ``'last_kept'`` is ours. Published patches have no ``LINE``.

    Args:
        mode: ``'feature'``: cosine of the tokens above ``threshold`` is alike; ``'pixel'``: mean absolute difference
            of their pixels, RGB in [0, 1], below it. Default: ``'feature'``.
        threshold: Default: 0.5 for features (the published evaluation; its demonstration takes 0.25), 0.1 for pixels.
        ratio: Drop this share of the patches of each frame instead, the most alike. Default: none, by threshold.
        reference: ``'prev'``, the patch one frame before in the same grid, or ``'last_kept'``, the last that was not
            dropped. Default: ``'prev'``.

    Raises:
        ValueError: If an argument is not one of those; in ``forward``, if pixels are needed and not given.
    """

    adaptive = True
    causal = True
    identity = (
        {"threshold": None, "ratio": 0.0},
        {"mode": "feature", "threshold": 1.1, "ratio": None},
        {"mode": "pixel", "threshold": 0.0, "ratio": None},
    )

    def __init__(
        self,
        mode: Mode = "feature",
        threshold: float | None = None,
        ratio: float | None = None,
        reference: Reference = "prev",
    ) -> None:
        super().__init__()
        if mode not in _THRESHOLDS or reference not in ("prev", "last_kept"):
            raise ValueError(
                f"DTD: mode='{mode}' is 'feature' or 'pixel', and reference='{reference}' is 'prev' or 'last_kept'"
            )
        if threshold is not None and ratio is not None:
            raise ValueError(f"DTD: threshold={threshold} and ratio={ratio} are two ways to choose: give one of them")
        self.mode = mode
        self.threshold = _THRESHOLDS[mode] if threshold is None else threshold
        self.ratio = None if ratio is None else check_ratio("DTD", ratio, most=1.0)
        self.reference = reference
        self.requires = frozenset({"clips"}) if mode == "pixel" else frozenset()

    @torch.no_grad()
    def kept(self, tokens: VideoTokens, context: ReduceContext) -> Tensor:
        """(B, N) bool: the tokens that stay."""
        sites = Sites.of(tokens)
        likeness = self._likeness(tokens, context)
        alike_BTS = torch.zeros_like(sites.there_BTS)
        before_BS, seen_BS = torch.zeros_like(sites.at_BTS[:, 0]), torch.zeros_like(sites.there_BTS[:, 0])
        for frame, (now_BS, there_BS) in enumerate(zip(sites.at_BTS.unbind(1), sites.there_BTS.unbind(1), strict=True)):
            score_BS = likeness(now_BS, before_BS).masked_fill(~there_BS | ~seen_BS, float("-inf"))
            alike_BTS[:, frame] = alike_BS = self._alike(score_BS, there_BS)
            next_BS = there_BS if self.reference == "prev" else there_BS & ~alike_BS
            before_BS, seen_BS = torch.where(next_BS, now_BS, before_BS), seen_BS | next_BS
        return _with_lines(tokens, sites.stays(~alike_BTS, tokens), sites.mark(sites.there_BTS, tokens))

    def forward(self, tokens: VideoTokens, context: ReduceContext) -> VideoTokens:
        """The tokens that differ."""
        return tokens.select(self.kept(tokens, context))

    def _likeness(self, tokens: VideoTokens, context: ReduceContext) -> Likeness:
        video_B1 = torch.arange(len(tokens.x), device=tokens.x.device)[:, None]
        if self.mode == "feature":
            x_BNC = tokens.x
            return lambda now_BS, before_BS: F.cosine_similarity(
                x_BNC[video_B1, now_BS].float(), x_BNC[video_B1, before_BS].float(), dim=-1
            )
        if not context.clips or context.denormalise is None:
            raise ValueError(
                "DTD: mode='pixel' compares pixels: give ReduceContext the clips that the tokens were made from and "
                "denormalise, as VideoLLM does, or take mode='feature'."
            )
        pixels_BNP = patch_pixels(tokens, context.clips, context.denormalise)
        return lambda now_BS, before_BS: -(pixels_BNP[video_B1, now_BS] - pixels_BNP[video_B1, before_BS]).abs().mean(2)

    def _alike(self, score_BS: Tensor, there_BS: Tensor) -> Tensor:
        """(B, S) bool: what to drop of one frame; -inf is never dropped."""
        if self.ratio is None:
            return score_BS > (self.threshold if self.mode == "feature" else -self.threshold)
        return most_similar(score_BS, (self.ratio * there_BS.sum(1).double() + 1e-6).floor().long())


def _with_lines(tokens: VideoTokens, keep_BN: Tensor, patch_BN: Tensor) -> Tensor:
    """``keep_BN`` without the ``LINE`` tokens of rows that have no patch left."""
    row_BN = tokens.cell[..., 0]
    key_BN = (frame_number(tokens) * (row_BN.max() + 1) + row_BN).clamp(min=0)
    left_BK = torch.zeros(len(key_BN), int(key_BN.max()) + 1, dtype=torch.long, device=key_BN.device)
    left_BK.scatter_add_(1, key_BN, (keep_BN & patch_BN).long())
    line_BN = tokens.reducible & (tokens.kind == Kind.LINE)
    return keep_BN & (~line_BN | (left_BK.gather(1, key_BN) > 0))
