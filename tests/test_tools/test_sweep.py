import csv
import json

import pytest

from elva.apis.cost.variants import parse_size
from tests.test_tools.tiny_recipe import make_data, random_checkpoint, stage
from tools.analysis_tools import sweep as tool
from tools.analysis_tools.variants import merger_config


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> tuple[str, str]:
    root = tmp_path_factory.mktemp("sweep")
    make_data(root)
    config = stage("elva_tiny_stage3", root)
    return config, random_checkpoint(config, root / "random.pth")


def test_sweeps_mergers_ratios_and_frames_and_only_runs_what_is_missing(recipe, tmp_path, monkeypatch):
    config, checkpoint = recipe
    words = [config, f"tiny={checkpoint}", "--work-dir", str(tmp_path), "--json", str(tmp_path / "rows.json")]
    words += ["--mergers", "HierarchicalTemporalMerger", "ToMe", "--ratios", "0", "0.5"]
    tool.main(words)
    with (tmp_path / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["merger"], row["ratio"]) for row in rows] == [
        ("NoMerge", "0"),
        ("HierarchicalTemporalMerger", "0.5"),
        ("ToMe", "0.5"),
    ]
    assert all(row["checkpoint"] == "tiny" and float(row["ttft_ms"]) > 0 for row in rows)
    layers = [[float(n) for n in row["rows"].split()] for row in rows]
    assert len(set(layers[0])) == 1
    assert layers[1][3] < layers[1][1] < layers[1][0] == layers[0][0]
    assert float(rows[1]["flops"]) < float(rows[0]["flops"])
    assert (tmp_path / "tradeoff.png").stat().st_size > 1000

    ran = []
    monkeypatch.setattr(tool, "row_of", lambda setting, of, found: ran.append(setting) or real(setting, of, found))
    tool.main([*words, "--frames", "4"])
    assert [(s.frames, s.merger) for s in ran] == [(4, "NoMerge"), (4, "HierarchicalTemporalMerger"), (4, "ToMe")]
    short = json.loads((tmp_path / "rows.json").read_text())
    assert float(short[0]["rows"].split()[0]) < layers[0][0]


real = tool.row_of


def test_a_ratio_or_a_size_that_cannot_be_is_refused_before_anything_runs(recipe, tmp_path):
    with pytest.raises(ValueError, match="NoMerge has no ratio to sweep. These have: "):
        tool.main([recipe[0], recipe[1], "--mergers", "NoMerge", "--work-dir", str(tmp_path)])
    with pytest.raises(ValueError, match="ToMe: ratio=0.75 is the share of visual rows taken away: give 0 to 0.5"):
        tool.main([recipe[0], recipe[1], "--mergers", "ToMe", "--ratios", "0", "0.75", "--work-dir", str(tmp_path)])
    with pytest.raises(ValueError, match="size 'wide': give height x width"):
        tool.main([*recipe, "--ratios", "0", "--sizes", "24x24", "wide", "--work-dir", str(tmp_path)])
    assert not (tmp_path / "runs.csv").exists()


def test_another_merger_works_at_the_layers_of_the_configs_own(recipe):
    cfg = tool.launch.read_config(recipe[0])
    assert merger_config("ToMe", cfg, 0.25) == {"type": "ToMe", "layers": (1, 3), "ratio": 0.25}
    assert merger_config("HierarchicalTemporalMerger", cfg)["tau"] == cfg.model.merger.tau


def test_sizes_are_height_x_width():
    assert parse_size("24x48") == (24, 48)
    with pytest.raises(ValueError, match="height x width"):
        parse_size("48")
