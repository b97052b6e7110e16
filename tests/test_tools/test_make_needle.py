import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
make = runpy.run_path(str(TOOLS / "dataset_tools" / "make_needle.py"))["main"]


def test_a_misspelt_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make(["--hosts", "a.mp4", "--needles", "b.json", "--out", "x", "--dephts", "1"])
    assert "unrecognized arguments: --dephts 1" in capsys.readouterr().err


def test_pictures_that_are_not_there_are_named(tmp_path: Path, clip: Callable[[str], str]) -> None:
    (tmp_path / "list.json").write_text('[{"image": "note.png", "question": "Colour?", "answer": "white"}]')
    given = ["--hosts", clip("h264.mp4"), "--needles", str(tmp_path / "list.json"), "--out", str(tmp_path / "out")]
    with pytest.raises(ValueError, match=r"note\.png"):
        make([*given, "--lengths", "2", "--fps", "25", "--size", "64", "--workers", "1"])
