"""The page's files, written as they stand there, and its command, run on a tiny model."""

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from elva.registry import DATASETS
from elva.utils import launch
from tests.test_tools.tiny_recipe import make_data, random_checkpoint, stage
from tools import test as command

PAGE = Path(__file__).parents[2] / "docs" / "your_own_benchmark.md"
FILES = dict(re.findall(r"^`(\S+)`:\n\n```\w+\n(.*?)```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))
COMMAND = re.findall(r"```console\n(.*?)\n```", PAGE.read_text())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: Callable[[str], str]) -> Iterator[Path]:
    """A user's folder with the page's files, two clips, and the tiny model; nothing of it stays behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", str(tmp_path))])
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "my_data" / "clips").mkdir()
    for name in "ab":
        shutil.copyfile(clip("h264.mp4"), tmp_path / "my_data" / "clips" / f"{name}.mp4")
    yield tmp_path
    sys.modules.pop("my_questions", None)
    DATASETS.module_dict.pop("MyQuestions", None)


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    make_data(folder)
    config = stage("elva_tiny_stage3", folder)
    words = {"CONFIG": config, "CHECKPOINT": random_checkpoint(config, folder / "model.pth")}
    _, *argv = [words.get(word, word) for word in COMMAND[0].split()]
    monkeypatch.setattr(sys, "argv", [*argv, "--work-dir", "work"])
    return launch.run(command.main)


def test_the_python_files_are_thirty_lines_at_most() -> None:
    assert sum(len(text.splitlines()) for name, text in FILES.items() if name.endswith(".py")) <= 30


def test_the_page_runs_end_to_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert COMMAND == ["python tools/test.py CONFIG CHECKPOINT --benchmark my_benchmark.py"]
    assert _run(folder, monkeypatch) == 0
    said = capsys.readouterr().out
    assert re.search(r"kind: motion +2 ", said) and re.search(r"overall +3 ", said)
    (written,) = folder.glob("work/**/predictions.jsonl")
    records = [json.loads(line) for line in written.read_text().splitlines()]
    assert [(r["id"], r["answer"], r["groups"]["kind"]) for r in records] == [
        ("q1", "B", "colour"),
        ("q2", "A", "motion"),
        ("q3", "B", "motion"),
    ]
    assert "A. yes\nB. no\n" in records[2]["question"]
    (protocol,) = folder.glob("work/**/protocol.json")
    assert "MyQuestions" in protocol.read_text()


def test_a_wrong_line_is_one_message(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "my_data/questions.jsonl"
    file.write_text(file.read_text().replace('"answer": "up"', '"answer": "left and up"'))
    assert _run(folder, monkeypatch) == 2
    assert "questions.jsonl: line 2: 'answer' is 'left and up', which is none of the options" in capsys.readouterr().err
