import sys
from pathlib import Path

from mmengine.config import Config

from elva.utils import launch
from tools.misc import print_config

ROOT = Path(__file__).parents[2]


def run(monkeypatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["print_config.py", *map(str, words)])
    return launch.run(print_config.main)


def test_prints_what_is_inherited_and_what_is_changed(monkeypatch, capsys):
    config = ROOT / "configs/elva_tiny_stage3.py"
    assert run(monkeypatch, config, "--cfg-options", "randomness.seed=5", "log_level=DEBUG") == 0
    cfg = Config.fromstring(capsys.readouterr().out, ".py")
    assert (cfg.randomness.seed, cfg.log_level) == (5, "DEBUG")
    assert cfg.default_hooks.checkpoint.type == "SafeCheckpointHook"
    assert cfg.model.type == "VideoLLM"


def test_missing_config_is_one_message(monkeypatch, capsys):
    assert run(monkeypatch, "none.py") == 2
    assert capsys.readouterr().err.startswith("error: There is no config none.py (the working directory is ")
