from pathlib import Path

import pytest
from mmengine.config import Config

from elva.apis.budget import Budget
from elva.apis.budget.levels import RATIOS, Resolution, resolutions
from elva.apis.budget.plan import FILLED, Search, costliest
from elva.apis.cost import CostModel
from elva.apis.cost.sample import load_video
from elva.registry import register_all_modules
from elva.structures import VideoMeta

CONFIGS = Path(__file__).parents[3] / "configs"
LONG = VideoMeta("", 60.0, 30.0, 360, 640)
TEXT = 64


@pytest.fixture(scope="module", autouse=True)
def _registered():
    register_all_modules()


@pytest.fixture(scope="module")
def elva_7b() -> tuple[CostModel, dict]:
    cfg = Config.fromfile(str(CONFIGS / "elva_7b_stage3.py"))
    cfg.model.merger.tau = -1.0
    return CostModel(cfg), load_video(cfg)


def search(model, budget: str, clips=((LONG,),), counted=None) -> Search:
    cost, load = model
    wanted = Budget.parse(budget)
    counted = counted or {"merged": True, "reduced": True}
    spend = (lambda cost: cost.rows[0]) if wanted.kind == "tokens" else (lambda cost: cost.total)
    return Search(cost, dict(load), clips, TEXT, wanted, spend, counted)


@pytest.mark.parametrize(
    "budget", ["4TFLOPs", "6TFLOPs", "10TFLOPs", "14TFLOPs", "20TFLOPs", "60TFLOPs", "600tokens", "800tokens"]
)
def test_a_plan_keeps_the_budget_and_uses_nine_tenths_of_it(elva_7b, budget: str):
    plan = search(elva_7b, budget).best()
    assert FILLED * plan.budget.amount <= plan.spent <= plan.budget.amount


def test_the_configs_frames_are_given_up_last(elva_7b):
    plans = {b: search(elva_7b, f"{b}TFLOPs").best() for b in (3.5, 6, 8, 11, 14, 16)}
    assert [plan.frames for b, plan in plans.items() if b >= 6 and b < 16] == [32] * 4
    assert plans[3.5].frames < 32
    harshness = [(-plan.level.resolution.share, plan.level.ratio) for plan in plans.values() if plan.frames == 32]
    assert harshness == sorted(harshness, reverse=True), "the less there is, the harsher"


def test_what_is_left_over_buys_frames_at_the_configs_own_settings(elva_7b):
    plan = search(elva_7b, "40TFLOPs").best()
    assert plan.frames > 64
    assert plan.level.resolution == Resolution(2, 0.5)
    assert plan.level.ratio <= 0.5


def test_where_there_are_no_more_frames_it_buys_less_merging_and_then_resolution(elva_7b):
    short = VideoMeta("", 1.0, 32.0, 192, 192)
    some, more, most = (search(elva_7b, f"{b}TFLOPs", ((short,),)).best() for b in (25, 60, 1000))
    assert some.level.resolution == Resolution(2, 0.5) and some.level.ratio < 0.5
    assert more.level.resolution.share > some.level.resolution.share
    assert most.level == (Resolution(1, 1.0), 0.0)
    assert most.spent < FILLED * 1000e12 and most.cost.tokens == 32 * 157, "no more can be had of it"


def test_a_budget_of_tokens_leaves_the_ratio_alone(elva_7b):
    plan = search(elva_7b, "2048tokens").best()
    assert plan.level.ratio == 0.5
    assert plan.cost.rows[0] == plan.spent


def test_what_cannot_be_met_is_answered_with_the_least_that_can(elva_7b):
    tight = search(elva_7b, "10GFLOPs")
    least, cost = tight._at(1, tight.levels[-1])
    with pytest.raises(ValueError, match="the least that this config can do") as error:
        tight.best()
    assert tight.budget.words(least) in str(error.value)
    assert cost.tokens == 9 * 16 + 9 + 1


def test_a_merger_that_decides_by_content_is_counted_as_if_it_did_nothing(elva_7b):
    plan = search(elva_7b, "20TFLOPs", counted={"merged": False, "reduced": True}).best()
    assert set(plan.cost.rows) == {plan.cost.tokens + TEXT - 1}
    assert plan.level.ratio == 0.5


def test_the_costliest_aspect_counts(elva_7b):
    clips = (LONG,), (VideoMeta("", 60.0, 30.0, 640, 360),), (VideoMeta("", 9.0, 30.0, 640, 360),)
    assert costliest(elva_7b[1], clips) == [clips[0], clips[1]]
    assert (
        search(elva_7b, "14TFLOPs", clips).best().cost.tokens % 161
        == search(elva_7b, "14TFLOPs", clips[1:2]).best().cost.tokens % 161
    )


def test_an_encoder_of_one_size_gets_no_small_frames():
    cfg = Config.fromfile(str(CONFIGS / "elva_tiny_stage3.py"))
    cfg.model.tokenizer = dict(
        type="FrameEncoder",
        config=dict(
            model_type="siglip_vision_model",
            image_size=48,
            patch_size=12,
            hidden_size=32,
            num_attention_heads=2,
            num_hidden_layers=2,
            intermediate_size=32,
        ),
    )
    found = search((CostModel(cfg), load_video(cfg)), "1GFLOPs")
    assert {level.resolution for level in found.levels} == {Resolution(1, 1.0)}
    assert sorted({level.ratio for level in found.levels}) == sorted(RATIOS)


def test_resolutions_go_from_fine_to_coarse_with_the_configs_own_among_them():
    load = dict(resolution=dict(type="HybridResolution", base={}, group=3, low_scale=0.4))
    found = resolutions(load)
    assert Resolution(3, 0.4) in found
    shares = [resolution.share for resolution in found]
    assert shares[0] == 1.0 and shares == sorted(shares, reverse=True)


def test_a_config_without_small_frames_gets_some_only_as_a_last_resort():
    cfg = Config.fromfile(str(CONFIGS / "elva_tiny_stage3.py"))
    cfg.model.merger.tau = -1.0
    model = CostModel(cfg), load_video(cfg)
    full, fewer = search(model, "250MFLOPs").best(), search(model, "200MFLOPs").best()
    assert full.frames == 8 and fewer.frames < 8
    assert full.level.resolution == fewer.level.resolution == Resolution(1, 1.0)
    with pytest.raises(ValueError, match="the least"):
        search(model, "1MFLOPs").best()
