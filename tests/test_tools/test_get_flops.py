import json
import sys
from pathlib import Path

import pytest

from elva.utils import launch
from tools.analysis_tools import get_flops

TINY = "configs/elva_tiny_stage3.py"


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])


def main(monkeypatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["get_flops.py", *map(str, words)])
    return launch.run(get_flops.main)


def test_prints_parts_rows_and_arithmetic_and_writes_them(tmp_path, monkeypatch, capsys):
    assert main(monkeypatch, TINY, "--frames", 4, "--text", 10, "--json", tmp_path / "out.json") == 0
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["plain"]["rows_per_layer"] == [2 * 21 + 9] * 4
    assert found["+ merger"]["flops_total"] == sum(found["+ merger"]["flops"].values())
    said = capsys.readouterr().out
    assert "0-3: 51" in said
    assert "weights x" in said and "layer: rows" in said
    assert max(map(len, said.splitlines())) <= 120


def test_a_video_gives_its_own_size(tmp_path, monkeypatch, capsys):
    from elva.datasets.moving_shapes import make_moving_shapes

    make_moving_shapes(tmp_path, {"test": 1})
    (video,) = tmp_path.rglob("*.mp4")
    assert main(monkeypatch, TINY, "--video", video) == 0
    assert "48 x 48 pixels, 2.0 s" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--checkpoint", "x.pth"], "name one with --video"),
        (["--text", "0"], "at least 1"),
        (["--size", "50x50"], "not a multiple of patch_size 12"),
        (["--video", "gone.mp4"], "gone.mp4"),
    ],
)
def test_mistakes_are_one_message(monkeypatch, capsys, words, message):
    assert main(monkeypatch, TINY, *words) == 2
    assert message in capsys.readouterr().err
