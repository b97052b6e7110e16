import pytest
from mmengine.config import Config

from elva.apis.cost import CostModel, SampleShape
from elva.apis.cost.measured import measure
from elva.apis.cost.sample import load_video, plan_of
from elva.registry import TRANSFORMS, VIDEO_READERS, register_all_modules
from tests.test_tools.tiny_recipe import make_data, random_checkpoint, stage


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> tuple[Config, str, str]:
    """The tiny config, a random checkpoint and a clip."""
    register_all_modules()
    root = tmp_path_factory.mktemp("recipe")
    make_data(root)
    config = stage("elva_tiny_stage3", root)
    checkpoint = random_checkpoint(config, root / "model.pth")
    return Config.fromfile(config), checkpoint, str(next(root.rglob("videos/test/*.mp4")))


def test_rows_that_do_not_depend_on_the_content_are_those_that_were_foreseen(recipe):
    cfg, checkpoint, video = recipe
    cfg.model.merger.tau = -1.0
    found = measure(cfg, video, checkpoint, "What shape is the red one?")
    load = load_video(cfg)
    plan = plan_of(TRANSFORMS.build(load), VIDEO_READERS.build(load["reader"]).probe(video))
    foreseen = CostModel(cfg).of(SampleShape((plan,), text=found.rows[0] - found.tokens + 1))
    assert found == foreseen


def test_a_checkpoint_that_is_not_there_or_not_the_models_is_named(recipe):
    cfg, checkpoint, video = recipe
    with pytest.raises(FileNotFoundError, match="no checkpoint gone"):
        measure(cfg, video, "gone.pth", "?")
    other = Config(cfg.to_dict())
    other.model.tokenizer.embed_channels = 64
    with pytest.raises(ValueError, match="does not fit the model"):
        measure(other, video, checkpoint, "?")
