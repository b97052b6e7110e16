from pathlib import Path

import pytest
from mmengine.config import Config

from elva.apis.cost import CostModel
from elva.apis.cost.sample import NOMINAL_CLIP, load_video
from elva.apis.cost.variants import set_frames, variants
from elva.registry import register_all_modules
from elva.structures import VideoMeta

CONFIGS = Path(__file__).parents[3] / "configs"
TABLE = {"plain": 75e12, "+ merger": 25e12, "+ hybrid resolution": 14e12}
"""ELVA (arXiv 2503.18422): FLOPs at 32 frames."""


@pytest.fixture(scope="module", autouse=True)
def _registered():
    register_all_modules()


@pytest.fixture(scope="module")
def elva_7b() -> tuple[Config, CostModel]:
    cfg = Config.fromfile(str(CONFIGS / "elva_7b_stage3.py"))
    return cfg, CostModel(cfg)


def test_the_papers_efficiency_table_at_32_frames(elva_7b):
    cfg, cost = elva_7b
    set_frames(cfg, 32, (192, 192))
    found = variants(cfg, cost=cost)
    assert list(found) == list(TABLE)
    for name, flops in TABLE.items():
        assert found[name].total == pytest.approx(flops, rel=0.1), name
    assert found["plain"].tokens == 32 * 157
    assert found["+ hybrid resolution"].tokens == 16 * (157 + 43)


def test_the_fast_config_needs_at_most_5_percent_of_an_encoder_based_model_for_any_aspect():
    cfg = Config.fromfile(str(CONFIGS / "elva_7b_stage3_fast.py"))
    cost = CostModel(cfg)
    for height, width in ((360, 640), (640, 360), (480, 480), (200, 800)):
        found = variants(cfg, VideoMeta("", 60.0, 30.0, height, width), 64, cost)
        last = list(found.values())[-1]
        assert last.total <= 6.0e12, (height, width)
        assert last.tokens < found["plain"].tokens / 2, "resolution saves ..."
        assert last.rows[-1] < last.rows[0] / 4, "... and so does merging"
    assert len(load_frames(cfg)) == 32


def test_the_tiny_fast_config_mirrors_the_7b_one():
    fast, tiny = (Config.fromfile(str(CONFIGS / name)) for name in ("elva_7b_stage3_fast.py", "elva_tiny_fast.py"))
    assert fast.model.merger.ratio == tiny.model.merger.ratio
    for key in ("group", "low_scale"):
        assert load_video(fast)["resolution"][key] == load_video(tiny)["resolution"][key]
    assert load_video(tiny)["resolution"]["unit"] == tiny.model.tokenizer.tubelet


def test_llava_onevision_needs_120_tflops_at_32_frames():
    cfg = Config.fromfile(str(CONFIGS / "baselines" / "llava_onevision_7b.py"))
    set_frames(cfg, 32)
    (found,) = variants(cfg).values()
    assert found.tokens == 32 * 196 + 1
    assert found.flops["tokenizer"] == pytest.approx(21.5e12, rel=0.02), "SigLIP-so400m at 384 pixels"
    assert found.total - found.flops["tokenizer"] == pytest.approx(98.8e12, rel=0.02), "Qwen2-7B"


def test_a_config_without_a_means_of_saving_has_no_column_for_it():
    cfg = Config.fromfile(str(CONFIGS / "elva_tiny_stage3.py"))
    del cfg.model["merger"]
    assert list(variants(cfg, text=10)) == ["plain"]
    cfg.model["reducers"] = [dict(type="SpatialPool")]
    found = variants(cfg, text=10)
    assert list(found) == ["plain", "+ reducers"]
    assert found["+ reducers"].reduced < found["plain"].reduced == found["plain"].tokens
    assert found["+ reducers"].total < found["plain"].total


def test_frames_and_size_are_those_asked_for():
    cfg = Config.fromfile(str(CONFIGS / "elva_7b_stage3.py"))
    set_frames(cfg, 12, (128, 160))
    assert load_frames(cfg) == ((128, 160), (64, 80)) * 6
    with pytest.raises(ValueError, match="not a multiple of patch_size 16"):
        set_frames(cfg, 12, (100, 100))


def test_a_config_that_loads_no_video_is_told_so():
    with pytest.raises(ValueError, match="loads no video"):
        set_frames(Config({"model": {}, "train_dataloader": {"dataset": {"type": "Toy"}}}), 4)


def load_frames(cfg: Config) -> tuple[tuple[int, int], ...]:
    from elva.apis.cost.sample import plan_of
    from elva.registry import TRANSFORMS

    return plan_of(TRANSFORMS.build(load_video(cfg)), NOMINAL_CLIP).sizes
