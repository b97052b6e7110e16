"""From the width of a tokenizer to that of the language model, at the scale of its embedding table."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def build_projector(kind: str, in_channels: int, out_channels: int) -> nn.Sequential:
    """A projector: ``'linear'``, or ``'mlp2x_gelu'`` (two linear layers with a GELU between, as in LLaVA 1.5).

    Raises:
        ValueError: If ``kind`` is neither.
    """
    if kind == "linear":
        return nn.Sequential(nn.Linear(in_channels, out_channels))
    if kind == "mlp2x_gelu":
        return nn.Sequential(nn.Linear(in_channels, out_channels), nn.GELU(), nn.Linear(out_channels, out_channels))
    raise ValueError(f"projector='{kind}' of the tokenizer is unknown; use 'linear' or 'mlp2x_gelu'.")


@torch.no_grad()
def rescale(last: nn.Module, measure: Callable[[], Tensor], rms: float) -> None:
    """Scale the last layer so that ``measure()``, the tokenizer's output, has root mean square ``rms``.

    On the meta device there is nothing to measure, and nothing is done.
    """
    parameters = list(last.parameters())
    if parameters[0].is_meta:
        return
    scale = rms / measure().float().square().mean().sqrt()
    for parameter in parameters:
        parameter.mul_(scale.to(parameter.dtype))


def random_pixels(tubelet: int, patch_size: int) -> Tensor:
    """(8, tubelet, 3, S, S) normal pixels on the CPU, the same at every call, S being four patches."""
    return random_frames(8 * tubelet, 4 * patch_size).unflatten(0, (8, tubelet))


ENOUGH = 256
"""Tokens of noise whose root mean square is that of any noise, within a few percent."""


def random_frames(count: int, side: int) -> Tensor:
    """(count, 3, side, side) normal pixels on the CPU, the same at every call."""
    generator = torch.Generator(device="cpu").manual_seed(0)
    return torch.randn(count, 3, side, side, generator=generator, device="cpu")
