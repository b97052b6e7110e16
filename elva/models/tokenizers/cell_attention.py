"""Local attention that makes one token of 2 x 2 patches.

Legend: U units, H W patches, h w cells (half as many a side), G cells in all, K heads, E channels of a head, D width.
"""

from torch import Tensor, nn

from .region_attention import gather


def half_of(patch_size: int) -> int:
    """The side of the patches that a tokenizer gathers two by two.

    Raises:
        ValueError: If ``patch_size`` is odd.
    """
    if patch_size % 2:
        raise ValueError(
            f"patch_size={patch_size} of the tokenizer must be even: it is the side of a token, made of 2 x 2 patches."
        )
    return patch_size // 2


class CellAttention(nn.Module):
    """Each cell's mean looks at its patches: ``m + Wo MHA(Wq LN(m), Wkv LN(cell))``, ``m`` the mean of the cell.

    The local attention of EVE (arXiv 2406.11832).

    Args:
        width: D.
        num_heads: K.
        scale: Of the products of queries and keys.
    """

    def __init__(self, width: int, num_heads: int, scale: float) -> None:
        super().__init__()
        self.num_heads, self.scale = num_heads, scale
        self.norm_q = nn.LayerNorm(width)
        self.norm_kv = nn.LayerNorm(width)
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, patch_UHWD: Tensor) -> Tensor:
        """(U, h, w, D) one token for every 2 x 2 patches; H and W are even."""
        u, height, width, channels = patch_UHWD.shape
        cell_UhwijD = patch_UHWD.view(u, height // 2, 2, width // 2, 2, channels).transpose(2, 3)
        cell_G4D = cell_UhwijD.reshape(-1, 4, channels)
        mean_GD = cell_G4D.mean(1)
        q_GKE = self.q(self.norm_q(mean_GD)).unflatten(1, (self.num_heads, -1))
        pooled_GD = mean_GD + self.out(gather(q_GKE, self.norm_kv(cell_G4D), self.kv, self.scale))
        return pooled_GD.view(u, height // 2, width // 2, channels)
