import json

import pytest
from mmengine.config import Config

from elva.registry import MERGERS, REDUCERS
from tests.test_tools.tiny_recipe import ROOT, make_data, random_checkpoint, stage
from tools.analysis_tools import leaderboard as tool

ENTRIES = [
    dict(part=dict(type="HierarchicalTemporalMerger", layers=(1, 3), tau=-1.0), knob="ratio", values=(0.2, 0.5, 0.8)),
    dict(part=dict(type="ToMe", layers=(1, 2)), knob="ratio", values=(0.1, 0.3, 0.5)),
]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> tuple[str, list[str]]:
    root = tmp_path_factory.mktemp("leaderboard")
    make_data(root, clips=6)
    cfg = Config.fromfile(stage("elva_tiny_stage3", root))
    cfg.leaderboard = ENTRIES
    cfg.dump(root / "board.py")
    config = str(root / "board.py")
    return config, [f"{name}={random_checkpoint(config, root / f'{name}.pth', seed)}" for seed, name in enumerate("ab")]


def test_every_part_is_matched_run_once_and_written(recipe, tmp_path, capsys, monkeypatch):
    config, checkpoints = recipe
    words = [config, *checkpoints, "--budget", "0.65", "--work-dir", str(tmp_path), "--out", str(tmp_path / "b.md")]
    tool.main([*words, "--json", str(tmp_path / "b.json")])
    rows = json.loads((tmp_path / "b.json").read_text())
    parts = [row["part"] for row in rows if row["checkpoint"] == "a"]
    assert set(parts) == {tool.PLAIN, tool.BLIND, "HierarchicalTemporalMerger", "ToMe"}
    by = {row["part"]: row for row in rows if row["checkpoint"] == "a"}
    assert float(by[tool.PLAIN]["rows"]) == float(by[tool.PLAIN]["flops"]) == 1
    assert 0.5 < float(by["ToMe"]["rows"]) < 0.8
    chosen = json.loads(by["HierarchicalTemporalMerger"]["setting"])["ratio"]
    assert chosen in (0.2, 0.5, 0.8)
    text = (tmp_path / "b.md").read_text()
    assert text.count("\n| ") == 6  # header and rule, two parts, two rows to compare with
    assert "accuracy, a | accuracy, b" in text
    assert f"leaderboard.py {config}" in text
    monkeypatch.setattr(tool, "match", lambda *_: pytest.fail("it was run"))
    tool.main(words)
    with pytest.raises(pytest.fail.Exception):  # other settings are other runs
        tool.main([*words, "--cfg-options", "generation.max_new_tokens=3"])


def test_the_nearest_candidate_is_taken():
    class Fake:
        def exchange(self, merger, reducers):
            self.ratio = merger["ratio"]

        def cost(self):
            return (100.0, 100.0 * (1 - self.ratio)), 0.0

    entry = tool.Entry({"type": "ToMe"}, "ratio", (0.0, 0.2, 0.4))
    assert tool.match(Fake(), entry, rows=88)["ratio"] == 0.2
    assert tool.match(Fake(), entry, rows=10)["ratio"] == 0.4


def test_mistakes(recipe):
    config, checkpoints = recipe
    with pytest.raises(ValueError, match="--budget 0"):
        tool.main([config, *checkpoints, "--budget", "0"])
    with pytest.raises(ValueError, match="no 'leaderboard'"):
        tool.read_entries(Config({}))
    with pytest.raises(ValueError, match="is not in the registry"):
        tool.read_entries(Config({"leaderboard": [dict(part=dict(type="TwoMe"))]}))
    with pytest.raises(ValueError, match="lists ToMe twice"):
        tool.read_entries(Config({"leaderboard": [dict(part=dict(type="ToMe", ratio=r)) for r in (0.1, 0.2)]}))


def test_blank_frames_come_after_reading():
    cfg = Config({"test_dataloader": {"dataset": {"pipeline": [{"type": "LoadVideo"}, {"type": "PackSample"}]}}})
    types = [transform["type"] for transform in tool.blind(cfg).test_dataloader.dataset.pipeline]
    assert types == ["LoadVideo", "BlankFrames", "PackSample"]


def test_the_tiny_leaderboard_covers_the_registries():
    cfg = Config.fromfile(ROOT / "configs" / "leaderboard_tiny.py")
    listed = [entry.name for entry in tool.read_entries(cfg)]
    names = [name for registry in (MERGERS, REDUCERS) for name in registry.names()]
    built_in = {name for name in names if _module_of(name).startswith("elva.")}
    assert built_in - set(listed) == set(cfg.without)


def _module_of(name: str) -> str:
    return (MERGERS if name in MERGERS else REDUCERS).get(name).__module__
