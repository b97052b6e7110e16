import json
import sys
from pathlib import Path

import pytest
import torch

from elva.utils import launch
from tests.test_engine.toy import ToyModel, toy_config
from tools import test as command

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path) -> Path:
    toy_config(tmp_path / "run").dump(tmp_path / "toy.py")
    torch.save({"state_dict": ToyModel().state_dict()}, tmp_path / "model.pth")
    return tmp_path / "toy.py"


def main(monkeypatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["tools/test.py", *map(str, words)])
    return launch.run(command.main)


def test_writes_metrics_and_predictions(config, tmp_path, monkeypatch):
    assert main(monkeypatch, config, tmp_path / "model.pth", "--out", tmp_path / "out.json") == 0
    found = json.loads((tmp_path / "out.json").read_text())
    values = [record["value"] for record in found["predictions"]]
    assert len(values) == 6
    assert found["metrics"]["mean"] == pytest.approx(sum(values) / 6)


def test_writes_a_line_a_prediction(config, tmp_path, monkeypatch):
    words = ("--out", tmp_path / "out.jsonl", "--work-dir", tmp_path / "elsewhere", "--amp")
    assert main(monkeypatch, config, tmp_path / "model.pth", *words) == 0
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 6
    assert (tmp_path / "elsewhere").is_dir()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.pth", "--out", "out.pkl"], "--out out.pkl: results are written as .json or .jsonl"),
        (["none.pth"], "There is no checkpoint"),
        (["model.pth", "--budget", "6parsecs"], "as 6TFLOPs, 500ms or 2048tokens"),
        (["model.pth", "--cfg-options", "model.width=9"], "does not fit the model of this config"),
        (
            ["model.pth", "--cfg-options", *(f"test_{x}=None" for x in ("dataloader", "cfg", "evaluator"))],
            "nothing to test",
        ),
    ],
)
def test_mistakes_are_one_message_and_exit_code_2(config, tmp_path, monkeypatch, capsys, words, message):
    assert main(monkeypatch, config, tmp_path / words[0], *words[1:]) == 2
    assert message in capsys.readouterr().err


def test_test_of_a_config_that_resumes_loads_the_named_checkpoint(config, tmp_path, monkeypatch):
    config.write_text(config.read_text() + "\nresume = True\nload_from = 'gone.pth'\n")
    assert main(monkeypatch, config, tmp_path / "model.pth") == 0


def test_options_are_those_of_the_benchmark_where_there_is_one(tmp_path, monkeypatch):
    file = tmp_path / "mine.py"
    file.write_text("benchmark = dict(type='MovingShapes', data_root='here/')\nevaluator = dict(type='ExactMatch')\n")
    options = ["test_dataloader.dataset.split=val", "test_evaluator.group_by=other", "test_dataloader.batch_size=3"]
    words = ["tools/test.py", str(ROOT / "configs/elva_tiny_stage3.py"), "model.pth"]
    more = ["--benchmark", str(file), "--data-root", "there/", "--frame-rule", "vlmevalkit", "--allow-missing"]
    monkeypatch.setattr(sys, "argv", [*words, *more, "--cfg-options", *options])
    cfg = command.load_config(command.parse_args())
    dataset = cfg.test_dataloader.dataset
    assert (dataset.type, dataset.data_root, dataset.split) == ("MovingShapes", "there/", "val")
    assert dataset.pipeline[0].sampler == dict(type="InnerSampler", num_frames=8)
    assert cfg.test_dataloader.batch_size == 3
    assert cfg.test_evaluator == dict(type="ExactMatch", group_by="other", allow_missing=True)


def test_no_frames_are_refused(config, tmp_path, monkeypatch, capsys):
    words = [ROOT / "configs/elva_tiny_stage3.py", tmp_path / "model.pth", "--frames", 0]
    assert main(monkeypatch, *words) == 2
    assert "--frames must be 1 or more, got 0" in capsys.readouterr().err


def test_the_folder_of_no_benchmark_is_refused(config, tmp_path, monkeypatch, capsys):
    assert main(monkeypatch, config, tmp_path / "model.pth", "--data-root", tmp_path) == 2
    assert "--data-root is the folder of a benchmark" in capsys.readouterr().err
