"""Every registered reducer keeps the rules of the toolkit; see ``elva.testing`` for plug-ins."""

import pytest
import torch

from elva.models.reducers import ReduceContext, TokenReducer
from elva.registry import REDUCERS
from elva.testing import REDUCER_CONTRACT
from elva.testing.reducer_contract import draw

SETTINGS: dict[str, dict] = {
    "AdaptivePool": dict(target=(3, 3, 3)),
    "Compose": dict(reducers=[dict(type="SpatialPool"), dict(type="TemporalPool")]),
    "FastVID": dict(retain=0.5),
    "MatryoshkaPool": dict(scale=4),
    "VisionZip": dict(dominant=5, contextual=3),
}
"""Of reducers whose defaults do not fit videos as small as the suite's."""


@pytest.mark.parametrize("check", REDUCER_CONTRACT)
@pytest.mark.parametrize("name", [n for n in REDUCERS.names() if not n.startswith("Contract")])
def test_contract(name, check):
    check(name, **SETTINGS.get(name, {}))


@REDUCERS.register_module()
class ContractHalf(TokenReducer):
    """Keeps every other patch."""

    causal = True

    def forward(self, tokens, context):
        return tokens.select(~tokens.reducible | (tokens.slot % 2 == 0))


@REDUCERS.register_module()
class ContractPairs(TokenReducer):
    """Gives each patch a part of the one after it in the frame, and drops the odd ones: many to many."""

    def forward(self, tokens, context):
        rows = torch.arange(tokens.x.shape[1]).expand(tokens.valid.shape)
        keep = tokens.valid & (~tokens.reducible | (tokens.slot % 2 == 0))
        kept = tokens.select(keep)
        new = (keep.cumsum(1) - 1).masked_fill(~keep, -1)
        anchor = torch.zeros_like(kept.slot)
        for video in range(len(anchor)):
            own = rows[video][keep[video]]
            anchor[video, : len(own)] = own
        after = (rows + 1).clamp(max=rows.shape[1] - 1)
        patch = tokens.reducible & (tokens.kind == tokens.kind.gather(1, after)) & tokens.valid.gather(1, after)
        same = patch & (tokens.frame == tokens.frame.gather(1, after)) & keep
        dst = torch.cat((new, torch.where(same, new, -1)), 1)
        weight = torch.cat((torch.ones_like(tokens.size), torch.full_like(tokens.size, 0.3)), 1)
        return tokens.combine(anchor, kept.valid, dst, torch.cat((rows, after), 1), weight)


@REDUCERS.register_module()
class ContractMixer(TokenReducer):
    """Breaks the rules: takes the mean over the batch."""

    def forward(self, tokens, context: ReduceContext):
        return tokens.select(tokens.slot % 2 == 0).replace(x=tokens.x.mean(0, keepdim=True).expand_as(tokens.x))


@pytest.mark.parametrize("check", REDUCER_CONTRACT)
@pytest.mark.parametrize("name", ["ContractHalf", "ContractPairs"])
def test_the_suite_accepts_honest_reducers(name, check):
    check(name)


def test_the_suite_notices_a_dishonest_one():
    failed = []
    for check in REDUCER_CONTRACT:
        try:
            check("ContractMixer")
        except (AssertionError, ValueError, RuntimeError, IndexError):
            failed.append(check.__name__)
    assert {"describes_every_token", "ignores_padding_and_neighbours"} <= set(failed)


def test_drawn_videos_fill_their_grids():
    tokens = draw()
    assert (tokens.cell[tokens.kind == 3] >= 0).all()
    assert torch.equal(tokens.cell[0, 1:6, 1], torch.arange(5))
