"""Fewer tokens a frame, by pooling its grid two by two.

Legend: F frames, h w rows and columns, C channels.
"""

import torch.nn.functional as F
from torch import Tensor

POOLS = (None, "bilinear", "average")


def pooled_side(side: int, pool: str | None) -> int:
    """Rows (or columns) that are left of ``side`` of them.

    Raises:
        ValueError: If ``pool`` is unknown.
    """
    if pool not in POOLS:
        raise ValueError(f"pool='{pool}' of the tokenizer is unknown; use 'bilinear', 'average' or None.")
    return {None: side, "bilinear": -(-side // 2), "average": side // 2}[pool]


def pool_grid(x_FhwC: Tensor, pool: str | None) -> Tensor:
    """A grid of about half the side.

    ``'bilinear'`` reads the grid at the centres of the ceil(h / 2) x ceil(w / 2) new cells, without antialiasing, as
    LLaVA-OneVision (arXiv 2408.03326) does: 27 x 27 become 14 x 14. ``'average'`` is the mean of each 2 x 2, an odd
    last row or column being dropped: 13 x 13. None does nothing.
    """
    if pool is None:
        return x_FhwC
    x_FChw = x_FhwC.movedim(-1, 1)
    if pool == "average":
        return F.avg_pool2d(x_FChw, 2).movedim(1, -1)
    size = [pooled_side(side, pool) for side in x_FChw.shape[2:]]
    return F.interpolate(x_FChw, size=size, mode="bilinear").movedim(1, -1)


def pool_mass(mass_Fhw: Tensor, pool: str | None) -> Tensor:
    """Likewise for attention, whose sum over a frame stays as it was."""
    pooled_Fhw = pool_grid(mass_Fhw[..., None], pool)[..., 0]
    return pooled_Fhw * (mass_Fhw.sum((1, 2), keepdim=True) / pooled_Fhw.sum((1, 2), keepdim=True))
