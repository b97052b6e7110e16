"""Multi-head cross-attention with one query a region: how a token gathers many.

Legend: G regions, n keys of a region, K heads, E channels of a head, D width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def gather(q_GKE: Tensor, x_GnD: Tensor, kv: nn.Linear, scale: float) -> Tensor:
    """(G, D): multi-head attention of one query over the ``n`` rows of each region, heads side by side.

    The projections move out of the sum over keys: ``q . (Wk x)`` is ``(Wk' q) . x``, and ``sum a Wv x`` is
    ``Wv sum a x``. The keys and values are then the region itself, which is exact, and costs 2 K products a row and
    channel instead of 2 D.

    Args:
        q_GKE: Queries; (1, K, E) if all regions have the same.
        x_GnD: Regions.
        kv: From D to keys and values, without bias.
        scale: Of the products of queries and keys.
    """
    value_KED = kv.weight.view(2, q_GKE.shape[1], -1, x_GnD.shape[2])[1]
    query_GKD = _meet(q_GKE, kv).to(x_GnD.dtype).expand(len(x_GnD), -1, -1)
    pooled_GKD = F.scaled_dot_product_attention(query_GKD, x_GnD, x_GnD, scale=scale)
    return torch.einsum("gkd,ked->gke", pooled_GKD, value_KED).flatten(1)


def gather_weights(q_GKE: Tensor, x_GnD: Tensor, kv: nn.Linear, scale: float) -> Tensor:
    """(G, n) float32: the attention weights of :func:`gather`, mean over heads."""
    query_GKD = _meet(q_GKE, kv).float().expand(len(x_GnD), -1, -1)
    logits_GKn = torch.einsum("gkd,gnd->gkn", query_GKD, x_GnD.float()) * scale
    return logits_GKn.float().softmax(2).mean(1)


def _meet(q_GKE: Tensor, kv: nn.Linear) -> Tensor:
    """(G, K, D): the queries as they meet what the keys are made of."""
    key_KED = kv.weight.view(2, q_GKE.shape[1], -1, kv.in_features)[0]
    return torch.einsum("gke,ked->gkd", q_GKE, key_KED)


class RegionAttention(nn.Module):
    """A learned token that gathers a region by multi-head cross-attention: ``l + Wo MHA(Wq LN(l), Wkv LN(region))``.

    Args:
        width: D, channels of the region and of the token.
        num_heads: K.
        scale: Of the products of queries and keys. Default: None, E^-1/2.
        std: Of the token at initialisation. Default: 0.02.

    Raises:
        ValueError: If the width is no multiple of the heads.
    """

    def __init__(self, width: int, num_heads: int, scale: float | None = None, std: float = 0.02) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"embed_channels={width} of the tokenizer must be a multiple of num_heads={num_heads}.")
        self.num_heads = num_heads
        self.scale = scale or (width // num_heads) ** -0.5
        self.token = nn.Parameter(torch.randn(width) * std)
        self.norm_q = nn.LayerNorm(width)
        self.norm_kv = nn.LayerNorm(width)
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, region_GnD: Tensor) -> Tensor:
        """(G, D) the token as each region (G, n, D) fills it."""
        gathered_GD = self.out(gather(self._query(), self.norm_kv(region_GnD), self.kv, self.scale))
        return self.token.to(gathered_GD.dtype) + gathered_GD

    def weights(self, region_GnD: Tensor) -> Tensor:
        """(G, n) float32: how much the token takes of each row, mean over heads; sums to 1."""
        return gather_weights(self._query(), self.norm_kv(region_GnD), self.kv, self.scale)

    def _query(self) -> Tensor:
        """(1, K, E)."""
        return self.q(self.norm_q(self.token)).view(1, self.num_heads, -1)
