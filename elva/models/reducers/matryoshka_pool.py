"""Nested sets of tokens: the same frame at any of several numbers of tokens.

Legend: B videos, N tokens.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from elva.registry import REDUCERS
from elva.structures import VideoTokens

from .base import ReduceContext, TokenReducer
from .spatial_pool import pool_cells


@REDUCERS.register_module()
class MatryoshkaPool(TokenReducer):
    r"""Pools each frame to ``scale`` tokens, averaging squares of :math:`k = \lfloor\sqrt{N / scale}\rfloor`.

    N is the number of its patches. The levels nest: a coarse one is the average pool of a finer one. Frames with no
    more than ``scale`` patches are left alone, so that low-resolution frames of a hybrid clip keep what they have.

    Source: Matryoshka Multimodal Models, M3 (arXiv 2405.17430), whose 24 x 24 patches give 1, 9, 36, 144 and 576
    tokens. Published training takes the mean of the losses at all scales; here each batch is trained at one, drawn at
    random, which has the same expectation and costs one pass. On 14 x 14 patches the published code gives 49 tokens
    when asked for 36; here that is an error.

    Args:
        scale: Patch tokens a frame. Default: 144.
        scales: What is drawn from in training. Default: none, ``scale`` always.

    Raises:
        ValueError: If a scale is less than 1; in ``forward``, if the patches of a frame cannot be pooled to it.
    """

    needs_grid = True
    keeps_grid = True
    causal = True
    identity = ({"scale": 10**6},)

    def __init__(self, scale: int = 144, scales: Sequence[int] = ()) -> None:
        super().__init__()
        if min((scale, *scales)) < 1:
            raise ValueError(f"MatryoshkaPool: scale={scale}, scales={list(scales)} are tokens a frame: give 1 or more")
        self.scale = scale
        self.scales = tuple(scales)

    def forward(self, tokens: VideoTokens, context: ReduceContext) -> VideoTokens:
        """``scale`` patch tokens for every frame that has more."""
        del context
        scale = self.scale
        if self.training and self.scales:
            scale = self.scales[int(torch.randint(len(self.scales), ()))]
        side_BN = (tokens.grid.prod(2) // scale).clamp(min=1).double().sqrt().floor().long()
        self._check(tokens, side_BN, scale)
        return tokens if int(side_BN.max()) == 1 else pool_cells(tokens, side_BN)

    def _check(self, tokens: VideoTokens, side_BN: Tensor, scale: int) -> None:
        patches_BN = tokens.grid.prod(2)
        fits_BN = (tokens.grid % side_BN[..., None] == 0).all(2) & (patches_BN == scale * side_BN**2)
        wrong_BN = tokens.reducible & (patches_BN > scale) & ~fits_BN
        if wrong_BN.any():
            rows, columns = tokens.grid[wrong_BN][0].tolist()
            sides = [k for k in range(1, min(rows, columns) + 1) if rows % k == 0 and columns % k == 0]
            able = [rows * columns // k**2 for k in sides]
            raise ValueError(
                f"MatryoshkaPool: {scale} tokens a frame cannot be had of {rows} x {columns} patches by squares. "
                f"Give one of the scales {able}, or other frame sizes (resolution of LoadVideo)."
            )
