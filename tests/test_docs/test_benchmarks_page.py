"""The commands and the sample of docs/benchmarks.md, as they stand there, on small files."""

import json
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from elva.utils import launch
from tests.test_tools.tiny_recipe import make_data, random_checkpoint, stage
from tools import test as command

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
COMMANDS = [text.split() for text in re.findall(r"```console\n(.*?)\n```", PAGE)]


def _of(tool: str) -> list[str]:
    """The arguments of the page's command of a tool."""
    (found,) = [words[2:] for words in COMMANDS if words[1] == tool]
    return found


def test_needles_are_made_and_drawn(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    clip: Callable[[str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    sample = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
    Path("needles_in.json").write_text(json.dumps(sample))
    for row in sample:
        Image.new("RGB", (40, 40), "white").save(row["image"])
    for host in ("long.mp4", "longer.mp4"):
        Path(host).symlink_to(clip("h264.mp4"))
    make = "tools/dataset_tools/make_needle.py"
    small = ["--lengths", "2", "4", "--fps", "25", "--size", "64", "--workers", "1"]
    runpy.run_path(str(ROOT / make))["main"]([*_of(make), *small])
    assert f"{2 * 2 * 5} videos in" in capsys.readouterr().out

    draw = "tools/analysis_tools/needle_map.py"
    rows = json.loads(Path("data/benchmarks/needle/needles.json").read_text())
    predictions, *others = _of(draw)
    Path(predictions).parent.mkdir(parents=True)
    Path(predictions).write_text("".join(json.dumps(_record(row)) + "\n" for row in rows))
    runpy.run_path(str(ROOT / draw))["main"]([predictions, *others])
    assert "100.0% of the needles were among the frames" in capsys.readouterr().out
    assert Path(others[-1]).stat().st_size > 0


def _record(row: dict) -> dict:
    groups = {"length": str(row["length"]), "depth": f"{row['depth']:g}"}
    frames = [{"seconds": [row["second"]]}]
    known = {"id": row["id"], "question_id": row["id"], "cluster": row["needle"], "groups": groups}
    return known | {"frames": frames, "raw": row["answer"], "score": 1.0}


def test_moving_shapes_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (words,) = [words for words in COMMANDS if "moving_shapes" in words]
    make_data(tmp_path)
    config = stage("elva_tiny_stage3", tmp_path)
    assert words[2].startswith("configs/") and (ROOT / words[2]).is_file()
    checkpoint = random_checkpoint(config, tmp_path / "model.pth")
    given = {words[2]: config, words[3]: checkpoint, words[-1]: f"{tmp_path}/data/"}
    argv = [given.get(word, word) for word in words[1:]]
    monkeypatch.setattr(sys, "argv", [*argv, "--work-dir", str(tmp_path / "work")])
    assert launch.run(command.main) == 0
    assert re.search(r"skill: colour +1 ", capsys.readouterr().out)
