import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from elva.utils import launch
from elva.utils.tiny_llm import TinyLLMSettings, make_tiny_llm
from tests.clips import BROKEN, RECIPES, render
from tests.test_apis.test_check_dataset.data import LOAD, config, dataset, row, write_rows
from tools.analysis_tools.benchmarks import check_rate
from tools.dataset_tools import check_dataset

TOOL = Path(check_dataset.__file__)
SLOW_READER = """
import time
from elva.datasets.readers import PyAVReader
from elva.registry import VIDEO_READERS

@VIDEO_READERS.register_module(force=True)
class SlowReader(PyAVReader):
    def probe(self, path):
        time.sleep(0.02)
        return super().probe(path)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Clips under many names, and a tiny language model."""
    root = tmp_path_factory.mktemp("data")
    (root / "texts.json").write_text(json.dumps([row("a")]))
    make_tiny_llm(root / "llm", [root / "texts.json"], TinyLLMSettings(hidden=16, layers=2, heads=2, intermediate=16))
    render(root / "0.mp4", RECIPES["h264.mp4"])
    for number in range(1, 120):
        os.link(root / "0.mp4", root / f"{number}.mp4")
    BROKEN["cut.mp4"](root / "cut.mp4")
    return root


@pytest.fixture
def written(data, tmp_path, monkeypatch):
    """A function from rows to a config file that reads them."""
    monkeypatch.chdir(tmp_path)

    def write(rows, load=None, **more) -> str:
        cfg = config(dataset(write_rows(tmp_path / "a.jsonl", rows), data, str(data / "llm"), load), str(data / "llm"))
        cfg.merge_from_dict(more)
        cfg.dump(tmp_path / "config.py")
        return str(tmp_path / "config.py")

    return write


def main(monkeypatch, *words: object) -> int:
    """Run the tool here; returns its exit status."""
    monkeypatch.setattr(sys, "argv", ["check_dataset.py", *map(str, words)])
    try:
        return launch.run(check_dataset.main)
    except SystemExit as stop:
        return int(stop.code or 0)


def test_clean_data_is_status_0(written, monkeypatch, capsys):
    assert main(monkeypatch, written([row("a", "0.mp4"), row("b", "1.mp4")])) == 0
    out = Path("work_dirs/config/check/train")
    assert (out / "skip.jsonl").read_text() == ""
    numbers = json.loads((out / "summary.json").read_text())
    assert (numbers["split"], numbers["decode"], numbers["samples"], numbers["bad"]) == ("train", "frames", 2, 0)
    said = capsys.readouterr().out
    assert "a.jsonl" in said and "2 files in" in said


def test_bad_data_is_status_1_and_named(written, monkeypatch, capsys, tmp_path):
    rows = [row("a", "0.mp4"), "{", row("cut", "cut.mp4"), row("odd", "1.mp4", "<video> <audio>")]
    assert main(monkeypatch, written(rows), "--out", tmp_path / "out", "--decode", "probe") == 1
    said = capsys.readouterr().out
    assert "a.jsonl: line 2 is not JSON" in said
    assert "a.jsonl: line 3: sample 'cut': " in said and "its last frame ends at byte" in said
    assert "a.jsonl: line 4: sample 'odd': turn 0 (user) has <audio>" in said
    assert len((tmp_path / "out" / "skip.jsonl").read_text().splitlines()) == 2
    assert "2 of 4 samples cannot be used" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--split", "test"], "no test_dataloader"), (["--timeout", "0"], "--timeout 0"), (["--workers", "-1"], "-1")],
)
def test_mistakes_are_status_2(written, monkeypatch, capsys, words, message):
    assert main(monkeypatch, written([row("a", "0.mp4")]), *words) == 2
    assert message in capsys.readouterr().err


def test_a_missing_annotation_file_is_status_2(written, monkeypatch, capsys):
    path = written([row("a")], **{"train_dataloader.dataset.ann_file": "gone.json"})
    assert main(monkeypatch, path) == 2
    assert "gone.json" in capsys.readouterr().err


def start(path: str, out: Path) -> subprocess.Popen:
    """Run the tool in a process of its own until it has looked at some files."""
    words = [sys.executable, str(TOOL), path, "--out", str(out), "--workers", "2"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (out / "journal.jsonl").exists() or (out / "journal.jsonl").read_bytes().count(b"\n") < 20:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_check_that_was_ended_goes_on(written, monkeypatch, capsys, tmp_path, end):
    (tmp_path / "slow_reader.py").write_text(SLOW_READER)
    load = {**LOAD, "reader": {"type": "SlowReader"}}
    imports = {"custom_imports": {"imports": ["slow_reader"], "allow_failed_imports": False}}
    rows = [row(f"s{number}", f"{number}.mp4") for number in range(120)] + [row("cut", "cut.mp4")]
    path, out = written(rows, load, **imports), tmp_path / "out"
    process = start(path, out)
    workers = psutil.Process(process.pid).children()
    assert len(workers) == 2
    process.send_signal(end)
    _, said = process.communicate(timeout=30)
    assert psutil.wait_procs(workers, timeout=20)[1] == [], "workers outlive their parent"
    if end == signal.SIGINT:
        assert process.returncode == 130
        assert "Go on with: python" in said
    with (out / "journal.jsonl").open("ab") as file:
        file.write(b'{"path": "torn')
    known = (out / "journal.jsonl").read_bytes().count(b"\n")
    assert 20 <= known < 121
    assert main(monkeypatch, path, "--out", out) == 1
    assert f"{121 - known} files in" in (said := capsys.readouterr().out)
    assert f"({known} were known from before)" in said
    resumed = json.loads((out / "summary.json").read_text())
    assert main(monkeypatch, path, "--out", tmp_path / "other") == 1
    assert resumed == json.loads((tmp_path / "other" / "summary.json").read_text())
    assert (out / "skip.jsonl").read_bytes() == (tmp_path / "other" / "skip.jsonl").read_bytes()


def test_the_benchmark_checks_what_the_bare_processes_read():
    (result,) = check_rate(clips=1, length=12, frames=3, files=4, rounds=1, size=(96, 160))
    assert (result.target, result.at_least) == (0.9, True)
    assert set(result.details) == {"files/s bare", "files/s check"}
    assert result.measured > 0
