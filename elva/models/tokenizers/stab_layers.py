"""How Video-Panda mixes the patches of a clip through time, without an encoder.

Legend: U units of all clips, B clips, T units of the longest, H W patches, D width, R reduced width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from .region_attention import RegionAttention


def over_clips(conv: nn.Conv3d, x_UHWD: Tensor, lengths: Sequence[int]) -> Tensor:
    """(U, H, W, D): a convolution over time, row and column of each clip alone.

    Shorter clips are filled up with zeros, which is what the convolution itself puts behind the end of a clip.
    """
    x_BTHWD = pad_sequence(x_UHWD.split(list(lengths)), batch_first=True)
    y_BTHWD = conv(x_BTHWD.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1)
    return torch.cat([clip[:length] for clip, length in zip(y_BTHWD, lengths, strict=True)])


class LocalTimeEncoding(nn.Module):
    """Local spatio-temporal encoding: ``x + up(time(down(norm(x))))``, then ``x + positions(x)``.

    ``time`` is a depthwise convolution over 3 units at one place, ``positions`` one over 3 x 3 x 3 neighbours (the
    dynamic position encoding of UniFormerV2, arXiv 2211.09552). ``up`` starts at zero. The published norm is one over
    the batch; here it is LayerNorm, so that a clip does not depend on its neighbours in the batch.

    Args:
        width: D.
        reduction: D / R. Default: 1.5.
    """

    def __init__(self, width: int, reduction: float = 1.5) -> None:
        super().__init__()
        reduced = int(width / reduction)
        self.norm = nn.LayerNorm(width)
        self.down = nn.Linear(width, reduced)
        self.time = nn.Conv3d(reduced, reduced, (3, 1, 1), padding=(1, 0, 0), groups=reduced)
        self.up = nn.Linear(reduced, width)
        self.positions = nn.Conv3d(width, width, 3, padding=1, groups=width)
        assert self.positions.bias is not None
        for parameter in (*self.up.parameters(), self.positions.bias):
            nn.init.zeros_(parameter)

    def forward(self, x_UHWD: Tensor, lengths: Sequence[int]) -> Tensor:
        """(U, H, W, D) patches that have seen their neighbours in the clip; ``lengths`` are the units of each clip."""
        x_UHWD = x_UHWD + self.up(over_clips(self.time, self.down(self.norm(x_UHWD)), lengths))
        return x_UHWD + over_clips(self.positions, x_UHWD, lengths)


class ClipToken(nn.Module):
    """Global spatio-temporal relations: one learned query over all patches of a clip, then an MLP, both residual.

    Both branches start at zero, and so does the query.

    Args:
        width: D.
        num_heads: Of the attention.
        dropout: In the MLP.
    """

    def __init__(self, width: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = RegionAttention(width, num_heads, std=0.0)
        self.norm = nn.LayerNorm(width)
        last = nn.Linear(4 * width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), last)
        for parameter in (*self.attention.out.parameters(), *last.parameters()):
            nn.init.zeros_(parameter)

    def forward(self, x_UHWD: Tensor, lengths: Sequence[int]) -> Tensor:
        """(U, D) the token of each unit's clip."""
        clips = x_UHWD.split(list(lengths))
        token_BD = torch.cat([self.attention(clip.flatten(0, 2)[None]) for clip in clips])
        token_BD = token_BD + self.mlp(self.norm(token_BD))
        return torch.cat([token_D.expand(length, -1) for token_D, length in zip(token_BD, lengths, strict=True)])
