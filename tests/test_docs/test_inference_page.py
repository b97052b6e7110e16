"""The examples of docs/inference.md, run as they stand there, with a tiny model in the folders that they name."""

import re
import shutil
from pathlib import Path

from elva.apis.inferencer import VideoInferencer
from tests.test_tools.tiny_recipe import make_data, random_checkpoint, stage

PAGE = Path(__file__).parents[2] / "docs" / "inference.md"


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    make_data(tmp_path, clips=1)
    config = stage("elva_tiny_stage3", tmp_path)
    for folder in ("work_dirs/demo/stage3", "configs"):
        (tmp_path / folder).mkdir(parents=True)
        shutil.copy(config, tmp_path / folder)
    random_checkpoint(config, tmp_path / "work_dirs/demo/stage3/iter_1000.pth", scale=3)
    shutil.copy(tmp_path / "data/videos/test/000000.mp4", tmp_path / "clip.mp4")
    shutil.copy(min((tmp_path / "data/images").rglob("*.png")), tmp_path / "still.png")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    names: dict = {}
    for block in blocks:
        exec(block, names)
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("left ", "right "))]
    assert [line.split()[-1] in ("True", "False") for line in printed] == [True, True]
    assert isinstance(names["model"], VideoInferencer) and not names["network"].training


def test_the_arguments_of_the_table_exist():
    rows = re.findall(r"^\| (`.+?`) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    generation = {"max_new_tokens", "temperature", "top_p", "seed"}
    taken = set(VideoInferencer.__init__.__annotations__) - {"generation", "return"}
    assert named - generation == taken - {"config", "checkpoint", "pretrained"}
