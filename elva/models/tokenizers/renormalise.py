"""From the pixels that the data preprocessor gives to those that an encoder was trained with."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Renormalise(nn.Module):
    """``(pixels * given_std + given_mean) / 255``, then the encoder's own mean and deviation; nothing where they agree.

    Args:
        given_mean: ``mean`` of the data preprocessor, in [0, 255].
        given_std: Its ``std``.
        mean: The encoder's, for pixels from 0 to 1.
        std: Likewise.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self, given_mean: Sequence[float], given_std: Sequence[float], mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        colours = list(zip(given_mean, given_std, mean, std, strict=True))
        scale = [old / 255 / own for _, old, _, own in colours]
        shift = [(old / 255 - own) / deviation for old, _, own, deviation in colours]
        self.agrees = all(abs(x - 1) < 1e-4 for x in scale) and all(abs(x) < 1e-4 for x in shift)
        self.register_buffer("scale", torch.tensor(scale).view(3, 1, 1), persistent=False)
        self.register_buffer("shift", torch.tensor(shift).view(3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (..., 3, H, W) as the encoder wants them."""
        return pixels if self.agrees else pixels * self.scale + self.shift
