import csv
from pathlib import Path

import pytest
from mmengine.config import Config

from elva.utils import launch
from tests.test_tools.tiny_recipe import make_data, stage
from tools.analysis_tools import data_scaling as tool


@pytest.fixture
def configs(tmp_path, monkeypatch) -> list[str]:
    make_data(tmp_path)
    written = [stage("elva_tiny_stage2", tmp_path), stage("elva_tiny_stage3", tmp_path)]
    # MMEngine formats a run's config seven times, which takes longer than runs this short.
    monkeypatch.setattr(Config, "pretty_text", property(str))
    return written


def test_trains_a_share_of_one_stage_and_goes_on_where_it_stopped(configs, tmp_path, monkeypatch):
    out, trained = tmp_path / "out", []
    real = tool.train_stage

    def train(cfg):
        data = cfg.train_dataloader.dataset
        trained.append(("/".join(Path(cfg.work_dir).parts[-2:]), data.get("take", "all")))
        return real(cfg)

    monkeypatch.setattr(tool, "train_stage", train)
    words = [*configs, "--iters", "4", "--work-dir", str(out), "--json", str(tmp_path / "out.json")]
    tool.main([*words, "--shares", "1"])
    assert trained == [("full/stage1", "all"), ("full/stage2", "all")]
    tool.main([*words, "--shares", "0.5", "1"])
    assert trained[2:] == [("stage1_0.5/stage1", "random:50%"), ("stage1_0.5/stage2", "all")]
    (table,) = out.glob("*/runs.csv")
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["stage"], row["share"]) for row in rows] == [("1", "1"), ("1", "0.5")]
    assert all(0 <= float(row["accuracy/overall"]) <= 1 for row in rows)
    assert table.with_name("data_scaling.png").stat().st_size > 1000
    tool.main([*words, "--shares", "0.5", "1"])
    assert len(trained) == 4
    tool.main([*words, "--shares", "1", "--cfg-options", "model.merger.ratio=0.25"])
    assert len(trained) == 6, "another experiment"


def test_a_stage_that_is_trained_already_is_taken(configs, tmp_path):
    args = tool.parse_args([*configs, "--work-dir", str(tmp_path / "out")])
    own = tmp_path / "stage2" / "iter_400.pth"
    own.parent.mkdir()
    own.touch()
    full = list(tool.stage_configs(args, None, 1.0))
    assert Path(full[0].work_dir) == own.parent
    assert full[1].load_from == str(own)
    part = list(tool.stage_configs(args, 0, 0.5))
    assert part[0].work_dir == str(tmp_path / "out" / "stage1_0.5" / "stage1")


def test_the_share_reaches_every_data_set_of_a_mixture():
    data = {"type": "Mix", "datasets": [{"dataset": {"ann_file": "a"}}, {"dataset": {"ann_file": "b"}}]}
    tool.set_share(data, 0.25)
    assert [part["dataset"]["take"] for part in data["datasets"]] == ["random:25%"] * 2


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--shares", "0"], "give shares of the data"), (["--shares", "1.5"], "give shares of the data")],
)
def test_mistakes(words, message):
    with pytest.raises(ValueError, match=message):
        tool.main(words)
    with pytest.raises(ValueError, match="at least two configs"):
        tool.main([tool.TINY[0]])


def test_launch_is_not_disturbed():
    assert launch.read_config(tool.TINY[0]).train_dataloader.dataset.get("take") is None
