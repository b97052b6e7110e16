import json

import pytest
from torch import cuda

from elva.engine.hooks.throughput_hook import peak_rss
from tests.test_engine.toy import ToyModel, toy_config, train


def test_everything_is_logged_by_name(tmp_path):
    cfg = toy_config(tmp_path, default_hooks__logger__interval=4)
    cfg.visualizer = dict(type="Visualizer", vis_backends=[dict(type="LocalVisBackend")])
    runner = train(cfg)
    lines = (tmp_path / runner.timestamp / "vis_data" / "scalars.json").read_text().splitlines()
    logged = [entry for entry in map(json.loads, lines) if "loss" in entry]
    assert [entry["step"] for entry in logged] == [4, 8, 12]
    expected = {
        "loss",
        "loss_gen",
        "rows/layer00",
        "merge/share_layer02",
        "tokens_per_s",
        "time",
        "data_time",
        "memory",
    }
    assert expected <= set(logged[0])
    times = runner.message_hub.get_scalar("train/time").mean(4)
    assert logged[-1]["tokens_per_s"] == pytest.approx(5 * 2 / times, rel=0.01)
    if not cuda.is_available():
        assert logged[-1]["memory"] == pytest.approx(peak_rss() / 2**20, rel=0.2)


def test_model_that_reports_no_rows_has_no_throughput(tmp_path, monkeypatch):
    forward = ToyModel.forward
    monkeypatch.setattr(ToyModel, "forward", lambda *a, **k: {"loss": forward(*a, **k)["loss_gen"]})
    hub = train(toy_config(tmp_path, val_cfg=None, val_dataloader=None, val_evaluator=None)).message_hub
    assert "train/tokens_per_s" not in hub.log_scalars
    assert "train/memory" in hub.log_scalars or cuda.is_available()


def test_peak_is_in_bytes():
    assert 2**24 < peak_rss() < 2**40
