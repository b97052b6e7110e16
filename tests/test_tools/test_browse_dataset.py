import os
import subprocess
import sys

import pytest

from elva.utils import launch
from tests.test_tools.tiny_recipe import make_data, random_checkpoint, stage
from tools.visualization import browse_dataset


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The tiny recipe and its data."""
    root = tmp_path_factory.mktemp("browse")
    make_data(root)
    return root


@pytest.fixture(scope="module")
def config(root):
    return stage("elva_tiny_stage3", root)


def main(monkeypatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["browse_dataset.py", *map(str, words)])
    return launch.run(browse_dataset.main)


def test_samples_on_the_terminal(config, monkeypatch, capsys):
    assert main(monkeypatch, config, "--index", 0, 3) == 0
    said = capsys.readouterr().out
    assert said.count("[video: 8 frames, 84 tokens]") == 2
    assert "train-000000" in said and "train-000003" in said and "train-000001" not in said
    assert "rows in the language model" in said


def test_a_sample_by_its_id_and_some_of_all(config, monkeypatch, capsys):
    assert main(monkeypatch, config, "--id", "train-000002", "--split", "train") == 0
    assert "train-000002" in capsys.readouterr().out
    assert main(monkeypatch, config, "--number", 2, "--split", "test") == 0
    said = capsys.readouterr().out
    assert said.count("reference answer: ") == 2


@pytest.mark.parametrize("weights", ["checkpoint", "random"])
def test_merges_in_a_page(config, root, monkeypatch, capsys, tmp_path, weights):
    words = ["--merges", "random"]
    if weights == "checkpoint":
        words = ["--checkpoint", random_checkpoint(config, tmp_path / "model.pth")]
    out = tmp_path / "new" / "page.html"
    assert main(monkeypatch, config, "--number", 2, "--out", out, *words) == 0
    page = out.read_text()
    assert page.count("What merging leaves of it.") == 2
    assert ("not which patches a trained model would merge" in page) is (weights == "random")
    assert main(monkeypatch, config, "--number", 1, "--out", out) == 0
    assert "What merging leaves of it." not in out.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--index", "99"], "--index 99: the data has 4 samples"),
        (["--id", "nobody"], "--id nobody"),
        (["--number", "0"], "--number 0"),
        (["--merges", "random"], "--out FILE.html"),
        (["--split", "val"], "no val_dataloader"),
        (["--merges", "random", "--out", "p.html", "--cfg-options", "model.merger=None"], "nothing is merged"),
        (["--checkpoint", "gone.pth", "--out", "p.html"], "gone.pth"),
    ],
)
def test_mistakes_are_one_message(config, monkeypatch, capsys, tmp_path, words, message):
    monkeypatch.chdir(tmp_path)
    assert main(monkeypatch, config, *words) == 2
    assert message in capsys.readouterr().err


def test_windows_need_a_display(config, tmp_path):
    command = [sys.executable, browse_dataset.__file__, config, "--number", "1", "--show"]
    done = subprocess.run(command, env={**os.environ, "MPLBACKEND": "agg"}, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--show needs a display" in done.stderr
