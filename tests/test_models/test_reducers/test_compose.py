import pytest
import torch

from elva.models.reducers import Compose, ReduceContext, SpatialPool, TemporalPool, TokenReducer
from elva.registry import REDUCERS
from elva.testing.reducer_contract import draw


class Ranks(TokenReducer):
    requires = frozenset({"attn"})
    adaptive = True

    def __init__(self, in_channels=None):
        super().__init__()
        self.in_channels = in_channels

    def forward(self, tokens, context):
        return tokens


def test_parts_run_in_their_order():
    tokens, context = draw([((4, 4),) * 4]), ReduceContext()
    both = Compose([dict(type="SpatialPool", k=4), dict(type="TemporalPool", k=2)])
    torch.testing.assert_close(both(tokens, context).x, TemporalPool(2)(SpatialPool(4)(tokens, context), context).x)


def test_what_it_promises_follows_from_its_parts():
    space = Compose([SpatialPool()])
    assert space.needs_grid and space.keeps_grid and space.causal and not space.adaptive and not space.requires
    mixed = Compose([SpatialPool(), Ranks()])
    assert mixed.needs_grid and not mixed.keeps_grid and not mixed.causal and mixed.adaptive
    assert mixed.requires == {"attn"}
    nothing = Compose([])
    assert nothing.keeps_grid and nothing.causal and not nothing.needs_grid


def test_it_checks_its_own_chain():
    with pytest.raises(
        ValueError, match="SpatialPool needs frames with all the tokens of their grid, but TemporalPool"
    ):
        Compose([TemporalPool(), SpatialPool()])


def test_parts_are_given_the_width():
    REDUCERS.register_module(name="ComposedRanks", module=Ranks)
    try:
        composed = REDUCERS.build_with(dict(type="Compose", reducers=[dict(type="ComposedRanks")]), in_channels=8)
    finally:
        REDUCERS.module_dict.pop("ComposedRanks")
    assert composed.reducers[0].in_channels == 8
