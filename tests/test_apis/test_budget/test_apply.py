import json
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from elva.apis.budget import apply_budget, calibration
from elva.apis.budget.calibration import measure_prefills
from elva.apis.budget.plan import FILLED
from elva.apis.cost import CostModel, SampleShape
from elva.apis.cost.sample import load_video, plan_of
from elva.apis.cost.survey import survey
from elva.datasets.readers.base import VideoReadError
from elva.registry import TRANSFORMS, VIDEO_READERS, register_all_modules
from elva.utils import launch
from tests.clips import real_clips
from tests.test_tools.tiny_recipe import ROOT, make_data, random_checkpoint, stage
from tools import test as command


@pytest.fixture(scope="module", autouse=True)
def _registered():
    register_all_modules()


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> tuple[str, str]:
    """The tiny config on a few clips, and a random checkpoint."""
    root = tmp_path_factory.mktemp("recipe")
    make_data(root)
    config = stage("elva_tiny_stage3", root)
    return config, random_checkpoint(config, root / "model.pth")


def spent(config: str, recipe_out: Path, budget: str) -> list[float]:
    """What each answer has spent, by its own text, plan and rows."""
    cfg = Config.fromfile(config)
    apply_budget(cfg, budget)
    cost, load = CostModel(cfg), TRANSFORMS.build(load_video(cfg))
    (source,) = survey(cfg.test_dataloader.dataset, limit=None)
    answers = json.loads(recipe_out.read_text())["predictions"]
    found = []
    for shape, clip, answer in zip(source.shapes, source.clips, answers, strict=True):
        rows = answer["tokens"]
        own = SampleShape(tuple(plan_of(load, meta) for meta in clip), shape.text)
        found.append(rows[0] if "tokens" in budget else sum(cost.flops(own, rows).values()))
    return found


@pytest.mark.parametrize(("budget", "amount"), [("110MFLOPs", 110e6), ("160MFLOPs", 160e6), ("95tokens", 95)])
def test_what_the_model_spends_is_within_the_budget_and_uses_it(recipe, tmp_path, monkeypatch, capsys, budget, amount):
    config, checkpoint = recipe
    out = tmp_path / "out.json"
    words = [config, checkpoint, "--budget", budget, "--out", str(out), "--work-dir", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["tools/test.py", *words])
    assert launch.run(command.main) == 0
    each = spent(config, out, budget)
    assert max(each) <= amount
    assert max(each) >= FILLED * amount
    metrics = json.loads(out.read_text())["metrics"]
    assert max(each) <= metrics["budget/most"] <= amount
    said = capsys.readouterr().out
    assert "Budget" in said and "frames" in said


def test_training_is_left_as_it_was(recipe):
    cfg, before = (Config.fromfile(recipe[0]) for _ in range(2))
    plan = apply_budget(cfg, "160MFLOPs")
    assert cfg.train_dataloader.to_dict() == before.train_dataloader.to_dict()
    assert load_video(cfg)["sampler"]["num_frames"] == plan.frames
    assert cfg.model.merger.ratio == plan.level.ratio
    assert cfg.model.merger.tau < -0.99, "counts must not depend on how alike frames are"


def test_milliseconds_are_kept_by_what_was_measured(recipe, tmp_path, monkeypatch):
    cfg = Config.fromfile(recipe[0])
    file = tmp_path / "times.json"
    times = {calibration.key_of(_certain(cfg)): {"points": [[50e6, 5.0], [500e6, 50.0]]}}
    file.write_text(json.dumps(times))
    plan = apply_budget(cfg, "16ms", file)
    assert FILLED * 16 <= plan.spent <= 16
    assert plan.spent == pytest.approx(calibration.ALLOWANCE * plan.cost.total / 10e6)


def test_prefills_are_measured_on_the_model_itself(recipe, monkeypatch):
    monkeypatch.setattr(calibration, "FRAMES", (1, 4))
    monkeypatch.setattr(calibration, "REPEATS", 1)
    points = measure_prefills(Config.fromfile(recipe[0]))
    (few, fast), (many, slow) = points
    assert 0 < few < many
    assert fast > 0 and slow > 0


def test_a_budget_is_one_of_testing():
    with pytest.raises(ValueError, match="no test_dataloader"):
        apply_budget(Config.fromfile(str(ROOT / "configs" / "elva_tiny_stage1.py")), "1GFLOPs")


@pytest.mark.parametrize("name", ["elva_7b_stage3.py", "elva_7b_stage3_fast.py"])
@pytest.mark.parametrize("budget", ["6TFLOPs", "500tokens"])
def test_on_real_clips(name, budget, tmp_path):
    for clip in real_clips():
        cfg = Config.fromfile(str(ROOT / "configs" / name))
        (tmp_path / "one.jsonl").write_text(
            json.dumps({"video": clip, "conversations": [{"from": "human", "value": "<video>\nWhat is seen?"}]})
        )
        cfg.test_dataloader.dataset.update(ann_file=str(tmp_path / "one.jsonl"), data_root="")
        try:
            VIDEO_READERS.build(load_video(cfg)["reader"]).probe(clip)
        except VideoReadError:
            continue
        plan = apply_budget(cfg, budget)
        assert FILLED * plan.budget.amount <= plan.spent <= plan.budget.amount, clip


def _certain(cfg: Config) -> Config:
    other = Config(cfg.to_dict())
    other.model.merger.tau = -1.0
    return other
