import json
from pathlib import Path

import pytest
from mmengine.config import Config

from tests.test_tools.tiny_recipe import make_data, stage
from tools.analysis_tools import ablate_supervisor as tool

BOTH = [{"type": "TubeAlignment"}, {"type": "FrameContrast"}]


def test_every_variant_is_trained_tested_and_written(tmp_path, monkeypatch):
    make_data(tmp_path)
    configs = [stage("elva_tiny_stage2", tmp_path), stage("elva_tiny_stage3", tmp_path)]
    # MMEngine formats a run's config seven times, which takes longer than runs this short.
    monkeypatch.setattr(Config, "pretty_text", property(str))
    out = tmp_path / "out"
    tool.main([*configs, "--iters", "4", "--work-dir", str(out)])
    results = json.loads((out / "ablation.json").read_text())
    assert list(results) == ["generative", "+ TubeAlignment", "+ FrameContrast", "+ TubeAlignment, FrameContrast"]
    for numbers in results.values():
        assert 0 <= numbers["accuracy/overall"] <= 1
        assert numbers["loss_gen/stage1"] > 0
    assert len({numbers["loss_gen/stage2"] for numbers in results.values()}) == 4, "the variants trained differently"
    assert all((out / f"variant{v}" / f"stage{s}" / "iter_4.pth").is_file() for v in range(4) for s in (1, 2))
    lines = (out / "ablation.md").read_text().splitlines()
    assert len(lines) == 2 + 4
    assert lines[0].startswith("| variant | loss_gen/stage1 | loss_gen/stage2 | overall |")


def test_variants_are_none_each_and_all():
    one, two = Config({"model": {"supervisors": BOTH}}), Config({"model": {"supervisors": BOTH[:1]}})
    assert list(tool.variants([two, one]).values()) == [
        [],
        ["TubeAlignment"],
        ["FrameContrast"],
        ["TubeAlignment", "FrameContrast"],
    ]
    assert list(tool.variants([two])) == ["generative", "+ TubeAlignment"]
    with pytest.raises(ValueError, match="nothing to leave out"):
        tool.variants([Config({"model": {}})])


def config() -> Config:
    schedule = [{"type": "LinearLR", "end": 10}, {"type": "CosineAnnealingLR", "begin": 10, "end": 100}]
    return Config(
        {
            "model": {"supervisors": BOTH, "teacher": {"type": "HOGTeacher"}},
            "train_cfg": {"max_iters": 100, "val_interval": 100},
            "param_scheduler": schedule,
            "load_from": "before.pth",
        }
    )


def test_a_variant_keeps_its_supervisors_and_the_teacher_only_with_them():
    cfg = tool.vary(config(), ["FrameContrast"], None, Path("out"), start=None)
    assert [s.type for s in cfg.model.supervisors] == ["FrameContrast"]
    assert cfg.model.teacher.type == "HOGTeacher"
    assert (cfg.train_cfg.max_iters, cfg.load_from, cfg.work_dir) == (100, "before.pth", "out")
    plain = tool.vary(config(), [], None, Path("out"), start="stage1.pth")
    assert (plain.model.supervisors, plain.model.teacher, plain.load_from) == ([], None, "stage1.pth")


def test_a_shorter_training_has_the_whole_schedule():
    cfg = tool.vary(config(), [], 40, Path("out"), start=None)
    assert (cfg.train_cfg.max_iters, cfg.train_cfg.val_interval) == (40, 40)
    assert [(s.get("begin"), s.end) for s in cfg.param_scheduler] == [(None, 4), (4, 40)]
    assert tool.vary(config(), [], 500, Path("out"), start=None).train_cfg.max_iters == 100


def test_the_last_config_must_test(tmp_path):
    file = tmp_path / "no_test.py"
    config().dump(file)
    with pytest.raises(ValueError, match="no_test.py has no test_dataloader"):
        tool.main([str(file), "--work-dir", str(tmp_path / "out")])
