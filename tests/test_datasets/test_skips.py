import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from elva.datasets import SkipLog


def _add_many(path: Path, process: int) -> None:
    log = SkipLog(path)
    for i in range(50):
        log.add("a.json", f"{process}-{i}", ["v.mp4"], "x" * 300, process)


def test_memory_log_counts_each_sample_once() -> None:
    log = SkipLog()
    assert log.add("a.json", "1", [], "bad")
    assert not log.add("a.json", "1", [], "bad again")
    assert log.add("b.json", "1", [], "bad")
    assert log.errors("a.json") == {"1": "bad"}


def test_lines_say_what_was_skipped(tmp_path: Path) -> None:
    log = SkipLog(tmp_path / "deep" / "skipped.jsonl")
    log.add("a.json", "1", ["v.mp4"], "it broke\nbadly", 3, 7)
    (line,) = (tmp_path / "deep" / "skipped.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert record.pop("time").startswith("20")
    assert record == {
        "id": "1",
        "video": ["v.mp4"],
        "error": "it broke\nbadly",
        "source": "a.json",
        "worker": 3,
        "index": 7,
    }


def test_processes_see_each_others_skips_and_lines_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "skipped.jsonl"
    log = SkipLog(path)
    with ProcessPoolExecutor(3) as pool:
        list(pool.map(_add_many, [path] * 3, range(3)))
    assert len(path.read_text().splitlines()) == 150
    assert len(log.errors("a.json")) == 150


def test_half_a_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    log = SkipLog(path)
    line = json.dumps({"source": "a.json", "id": "1", "error": "bad"}) + "\n"
    for part, known in ((line[:9], []), (line[9:], ["1"])):
        with path.open("a") as file:
            file.write(part)
        assert list(log.errors("a.json")) == known


def test_names_that_are_no_unicode_are_noted(tmp_path: Path) -> None:
    name = "caf\udce9 \ud83d é"  # what a file system or a cut JSON text may give
    SkipLog(tmp_path / "s.jsonl").add("a.json", name, [name], name)
    assert json.loads((tmp_path / "s.jsonl").read_text(encoding="utf-8"))["video"] == [name]
    assert "é" in (tmp_path / "s.jsonl").read_text(encoding="utf-8")


def test_an_earlier_run_does_not_count(tmp_path: Path) -> None:
    SkipLog(tmp_path / "s.jsonl").add("a.json", "old", [], "bad")
    log = SkipLog(tmp_path / "s.jsonl")
    log.add("a.json", "new", [], "bad")
    assert list(log.errors("a.json")) == ["new"]
    assert len((tmp_path / "s.jsonl").read_text().splitlines()) == 2
