import json

import pytest
from mmengine.config import Config

from elva.apis.latency import weightless
from elva.models.mergers.dycoke_cache import MovingFocus
from elva.utils import launch
from tests.test_tools.tiny_recipe import ROOT, make_data, stage
from tools.analysis_tools import benchmark as tool
from tools.analysis_tools.benchmarks import onevision


def test_configs_take_turns_and_are_compared(tmp_path, capsys):
    make_data(tmp_path)
    config = stage("elva_tiny_stage3", tmp_path)
    words = [config, "--against", config, "--rounds", "2", "--tokens", "3", "--batches", "1", "2", "--device", "cpu"]
    tool.main([*words, "--frames", "4", "--text", "9", "--json", str(tmp_path / "out.json")])
    found = json.loads((tmp_path / "out.json").read_text())["rounds"]
    assert list(found) == ["elva_tiny_stage3 (1)", "elva_tiny_stage3 (2)"]
    jobs = {"first token, s", "decoding, tokens/s", "peak memory", "answers/s, batch 1", "answers/s, batch 2"}
    for rounds in found.values():
        assert set(rounds) == jobs
        assert all(len(values) == 2 and min(values) > 0 for values in rounds.values())
    out = capsys.readouterr().out
    assert "4 frames, 42 visual tokens" in out
    weights = tool.LatencyProbe(launch.read_config(config)).weights
    assert min(found["elva_tiny_stage3 (1)"]["peak memory"]) > weights


def test_decoding_reads_the_part_of_the_cache_that_the_merger_chooses(tmp_path, monkeypatch):
    make_data(tmp_path)
    cfg = launch.read_config(stage("elva_tiny_stage3", tmp_path))
    cfg.model.merger = dict(type="DyCokeCache", layer=2)
    steps = []
    choose = MovingFocus.choose
    monkeypatch.setattr(MovingFocus, "choose", lambda *args: steps.append(1) or choose(*args))
    assert tool.LatencyProbe(cfg).decoding(tool.prompt_of(cfg, 4, None, 8), tokens=5) > 0
    assert len(steps) == 4, "every step but the first"


def test_weights_that_are_not_there_are_random_if_their_shape_is_known():
    cfg = launch.read_config(ROOT / "configs" / "elva_7b_stage1.py")
    model = weightless(cfg)
    assert model["llm"]["path"] is None
    assert (model["teacher"], model["supervisors"]) == (None, ())
    del cfg.model.llm["config"]
    with pytest.raises(ValueError, match=r"model.llm.path='Qwen/Qwen2-7B-Instruct' is no directory"):
        weightless(cfg)


def test_the_encoder_baseline_is_transformers_own_and_ours_is_elva():
    published = Config.fromfile(onevision.ONEVISION).model
    llm = dict(published.llm.config, num_hidden_layers=8, hidden_size=28, intermediate_size=32)
    vision = dict(published.tokenizer.config, num_hidden_layers=1, hidden_size=16, intermediate_size=16)
    vision |= dict(num_attention_heads=2)
    (result,) = onevision.against_onevision(frames=4, text=5, rounds=1, llm=llm, vision=vision, dtype="float32")
    assert result.details["visual tokens onevision"] == 4 * 196 + 1
    assert 0 < result.details["visual tokens elva"] <= 4 * 157
    seconds = result.details["seconds elva"], result.details["seconds onevision"]
    assert result.measured == pytest.approx(seconds[0] / seconds[1])
