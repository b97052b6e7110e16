from pathlib import Path

import pytest
import torch
from mmengine import Config

from elva.registry import MERGERS
from elva.structures import Kind, SequenceState, SourceMap
from elva.testing import MERGER_CONTRACT
from projects.example_merger.keep_every_other import KeepEveryOther

CONFIG = Path(__file__).parents[1] / "configs" / "elva_tiny_keep_every_other.py"
BASE = Path(__file__).parents[3] / "configs" / "elva_tiny_stage3.py"
KINDS = [Kind.TEXT, Kind.FRAME, *[Kind.PATCH] * 4, Kind.FRAME, *[Kind.PATCH] * 4, Kind.TEXT]


def state_of(kinds: list[Kind]) -> SequenceState:
    """One sample with a row for each kind; the hidden state of a row is its position."""
    length = len(kinds)
    kind_BL = torch.tensor([[int(kind) for kind in kinds]])
    pos_BL = torch.arange(length)[None]
    valid_BL = torch.ones(1, length, dtype=torch.bool)
    patch_BL = kind_BL == Kind.PATCH
    return SequenceState(
        h=pos_BL[..., None].float(),
        pos=pos_BL,
        rank=pos_BL,
        size=torch.ones(1, length),
        frame=torch.where(patch_BL, pos_BL // 6, -1),
        slot=torch.where(patch_BL, pos_BL % 4, -1),
        kind=kind_BL,
        valid=valid_BL,
        src=SourceMap.identity(valid_BL),
    )


def test_is_found_by_its_name():
    assert isinstance(MERGERS.build(dict(type="KeepEveryOther")), KeepEveryOther)


def test_config_exchanges_the_merger_and_nothing_else_of_the_model():
    mine, base = Config.fromfile(CONFIG), Config.fromfile(BASE)
    assert mine.model.pop("merger") == dict(type="KeepEveryOther")
    assert base.model.pop("merger")["type"] != "KeepEveryOther"
    assert mine.model == base.model
    assert mine.work_dir != base.work_dir


@pytest.mark.parametrize("check", MERGER_CONTRACT)
def test_contract(check):
    check("KeepEveryOther")


def test_acts_once_before_the_attention_of_the_middle_layer():
    assert list(KeepEveryOther().sites(depth=8)) == [(4, "pre_attn")]


def test_drops_the_patches_with_an_odd_position_and_nothing_else():
    state = state_of(KINDS)
    merger = KeepEveryOther()
    kept = merger(state, merger.sites(depth=8)[0])
    patches = state.pos[0][state.kind[0] == Kind.PATCH]
    expected = [p for p in range(len(KINDS)) if p not in patches or p % 2 == 0]
    assert kept.pos[0].tolist() == expected
    assert kept.h[0, :, 0].tolist() == expected
    assert (kept.kind == Kind.PATCH).sum() == len(patches) // 2
    assert [Kind(k) for k in kept.kind[0].tolist() if k != Kind.PATCH] == [k for k in KINDS if k != Kind.PATCH]


def test_text_alone_passes_unchanged():
    state = state_of([Kind.TEXT] * 5)
    kept = KeepEveryOther()(state, (4, "pre_attn"))
    assert kept.pos.tolist() == state.pos.tolist()
