"""Every config of the tree is checked, and its model and pipelines are built, without weights or data."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from elva.registry import MODELS, TRANSFORMS
from elva.structures import FramePlan, VideoMeta
from elva.utils.config_check import check_config

ROOT = Path(__file__).parent.parent
CONFIGS = sorted(
    str(path.relative_to(ROOT)) for path in ROOT.glob("configs/**/*.py") if "_base_" not in path.relative_to(ROOT).parts
)


def pipelines(node: object) -> list[list[dict]]:
    """Every value of a key ``pipeline``, at any depth."""
    if isinstance(node, dict):
        here = [node["pipeline"]] if "pipeline" in node else []
        return here + [found for value in node.values() for found in pipelines(value)]
    return [found for value in node for found in pipelines(value)] if isinstance(node, list | tuple) else []


def test_the_three_sizes_have_all_their_stages():
    names = {Path(config).stem for config in CONFIGS}
    assert {f"elva_{size}_stage{stage}" for size in ("tiny", "2b", "7b") for stage in (1, 2, 3)} <= names
    assert {"elva_2b_warmup", "elva_7b_warmup"} <= names


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_is_checked_and_its_model_builds_on_meta(name):
    cfg = Config.fromfile(str(ROOT / name))
    check_config(cfg)
    with torch.device("meta"):
        model = MODELS.build(cfg.model)
    assert all(parameter.is_meta for parameter in model.parameters())
    trained = {key.split(".")[0] for key, parameter in model.named_parameters() if parameter.requires_grad}
    warm_up, last = "warmup" in name, not any(word in name for word in ("warmup", "stage1", "stage2"))
    assert ("llm" in trained) is not warm_up, "the warm-up alone leaves the language model as it is"
    assert ("supervisors" in trained) is not last, "stage 3 builds no supervisor"
    assert (model.teacher is None) is last, "nor a teacher"


@pytest.mark.parametrize("name", CONFIGS)
def test_the_pipelines_of_a_config_build(name):
    cfg = Config.fromfile(str(ROOT / name))
    found = pipelines(cfg.to_dict())
    assert found
    for pipeline in found:
        assert [type(TRANSFORMS.build(transform)).__name__ for transform in pipeline][-1] == "PackSample"


@pytest.mark.parametrize("name", CONFIGS)
def test_the_tokenizer_of_a_config_takes_the_frames_of_its_pipelines(name):
    cfg = Config.fromfile(str(ROOT / name))
    with torch.device("meta"):
        tokenizer = MODELS.build(cfg.model).tokenizer
    for pipeline in pipelines(cfg.to_dict()):
        resolution = TRANSFORMS.build(pipeline[0]).resolution
        for height, width in ((480, 640), (1080, 1920), (101, 75)):
            meta = VideoMeta("a.mp4", duration=4.0, fps=2.0, height=height, width=width)
            plan = resolution.assign(FramePlan((0.0, 1.0, 2.0, 3.0)), meta)
            assert tokenizer.count(plan) > 0


@pytest.mark.parametrize("name", CONFIGS)
def test_the_first_comment_names_the_hardware_and_the_command(name):
    head = (ROOT / name).read_text().split("_base_")[0]
    assert head.startswith(("# ELVA", "# Baseline"))
    assert "Command: " in head
    assert name in head.replace("\n# ", "")


def test_sizes_of_the_full_models():
    sizes = {}
    for name in ("elva_7b_stage3", "elva_2b_stage3"):
        with torch.device("meta"):
            model = MODELS.build(Config.fromfile(str(ROOT / f"configs/{name}.py")).model)
        sizes[name] = sum(parameter.numel() for parameter in model.llm.parameters())
    assert sizes["elva_7b_stage3"] == 7_615_616_512  # Qwen2-7B
    assert sizes["elva_2b_stage3"] == 1_543_714_304  # Qwen2-1.5B, embedding and head shared
