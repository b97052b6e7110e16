import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from elva.datasets.annotations.cached import cached


def _note(log: Path, target: Path) -> None:
    with log.open("a") as file:
        file.write("made\n")
    target.write_text("done")


def _get(folder: Path) -> str:
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    return cached(folder / "a.csv", ".x", partial(_note, folder / "log")).read_text()


def test_one_of_many_processes_makes_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("")
    with ProcessPoolExecutor(3) as pool:
        assert list(pool.map(_get, [tmp_path] * 6)) == ["done"] * 6
    assert (tmp_path / "log").read_text() == "made\n"


def test_files_of_one_name_in_two_folders_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = []
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.csv").write_text(name)
        made.append(cached(tmp_path / name / "x.csv", ".x", lambda target, name=name: target.write_text(name) and None))
    assert [path.read_text() for path in made] == ["a", "b"]


def test_what_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "a.csv").write_text("")

    def fail(target: Path) -> None:
        target.write_text("half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cached(tmp_path / "a.csv", ".x", fail)
    assert [path.suffix for path in (tmp_path / "cache").rglob("*") if path.is_file()] == [".lock"]
