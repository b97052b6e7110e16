"""What the checks of a contract share: the batch, building and running, and comparing."""

from typing import Any

import torch
from torch import Tensor

from elva.models.llms import HFDecoder, Trace
from elva.models.mergers.base import Merger
from elva.registry import MERGERS
from elva.structures import SequenceState

from .builders import CHANNELS, Part

SAMPLES: tuple[tuple[Part, ...], ...] = (
    (3, [(2, 2)] * 5, 2, [(1, 3)] * 4, 4),
    (2, [(2, 2), (1, 1), (2, 2), (1, 1), (2, 2), (2, 2)], 5),
    (1, [(2, 3)], 2),
    (6,),
)
"""A ragged batch: two videos in one sample, frames of two sizes, a still frame, and text alone."""

TOLERANCE = 1e-5


def build(name: str, **settings: Any) -> tuple[Merger, int]:
    """The merger, and the depth of the smallest language model that has room for its sites."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        merger: Merger = MERGERS.build_with({"type": name, **settings}, in_channels=CHANNELS).eval()
    for depth in (4, 8, 16):
        try:
            merger.sites(depth)
        except ValueError:
            continue
        return merger, depth
    return merger, 32


def run(llm: HFDecoder, state: SequenceState, merger: Merger | None) -> tuple[SequenceState, Trace]:
    """The last state, and a trace that keeps the state entering each layer's attention."""
    trace = Trace(keep_states=True)
    with torch.no_grad():
        return llm(state, merger, trace=trace), trace


def assert_close(what: str, got: Tensor, expected: Tensor, tolerance: float = TOLERANCE) -> None:
    """Raise ``AssertionError`` unless the two differ by at most ``tolerance`` everywhere."""
    assert got.shape == expected.shape, f"{what}: shape {tuple(got.shape)}, expected {tuple(expected.shape)}"
    if got.numel():
        error = float((got - expected).abs().max())
        assert error <= tolerance, f"{what}: off by {error:.3g}, more than {tolerance:g}"


def assert_same(what: str, got: Tensor, expected: Tensor) -> None:
    """Raise ``AssertionError`` unless the two are equal to the last bit."""
    assert torch.equal(got, expected), f"{what}: {got.tolist()}, expected {expected.tolist()}"
