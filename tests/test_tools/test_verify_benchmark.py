import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from elva.utils import launch
from tests.test_datasets.test_benchmarks.layouts_a import (
    MVBENCH,
    write_egoschema,
    write_long_video_bench,
    write_mvbench,
    write_video_mme,
)
from tools.dataset_tools import verify_benchmark

Clip = Callable[[str], str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def call(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["verify_benchmark.py", *map(str, words)])
        try:
            code = launch.run(verify_benchmark.main)
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, "".join(capsys.readouterr())

    return call


def test_everything_is_there(run, tmp_path: Path, clip: Clip) -> None:
    write_egoschema(tmp_path, clip("h264.mp4"))
    code, said = run("egoschema", "--data-root", tmp_path)
    assert code == 0 and f"EgoSchema in {tmp_path}: 0 of 1 videos are missing: 1 of 1 questions (100.00%)" in said
    code, said = run("egoschema", "--data-root", tmp_path, "--cfg-options", "benchmark.subset=False", "--decode")
    assert code == 0 and "3 of 3 questions" in said and "3 videos were read, 0 things are wrong" in said


def test_missing_videos_are_listed(run, tmp_path: Path, clip: Clip) -> None:
    write_mvbench(tmp_path, clip("h264.mp4"))
    for task in ("action_count", "state_change"):
        path = tmp_path / f"json/{task}.json"
        row = json.loads(path.read_text())[0]
        path.write_text(json.dumps([row | {"video": f"{task}_{number}.mp4"} for number in range(9)]))
    code, said = run("mvbench", "--data-root", tmp_path)
    listed = [line for line in said.splitlines() if line.startswith("  video/")]
    assert code == 1 and "3 of 36 questions" in said and len(listed) == verify_benchmark.LISTED
    missing = int(said.split(" of ")[0].split()[-1])
    assert f"... and {missing - len(listed)} more (--all lists them)" in said
    code, said = run("mvbench", "--data-root", tmp_path, "--all")
    assert code == 1 and "more (--all" not in said and said.count("\n  video/") == missing


def test_subtitles_may_be_missing_where_they_need_not_be_there(run, tmp_path: Path, clip: Clip) -> None:
    write_video_mme(tmp_path, clip("h264.mp4"))
    code, said = run("video_mme_subtitles", "--data-root", tmp_path)
    assert code == 0 and "1 of 2 subtitle files are there; subtitles='frames'." in said


def test_subtitles_that_must_be_there(run, tmp_path: Path, clip: Clip) -> None:
    write_long_video_bench(tmp_path, clip("h264.mp4"))
    assert run("long_video_bench", "--data-root", tmp_path)[0] == 0
    (tmp_path / "subtitles/vid2.json").unlink()
    code, said = run("long_video_bench", "--data-root", tmp_path)
    assert code == 1 and "missing subtitles:\n  subtitles/vid2.json" in said


def test_decoding_finds_broken_videos_and_parts_that_are_not_there(run, tmp_path: Path, clip: Clip) -> None:
    write_mvbench(tmp_path, clip("h264.mp4"))
    (tmp_path / MVBENCH["moving_count"][0] / "video_10009.mp4").write_bytes(b"none")
    path = tmp_path / "json/action_sequence.json"
    path.write_text(json.dumps([json.loads(path.read_text())[0] | {"start": 7.0, "end": 9.0}]))
    options = ("--cfg-options", "benchmark.tasks=(action_sequence,moving_count,episodic_reasoning)")
    assert run("mvbench", "--data-root", tmp_path, *options)[0] == 0
    code, said = run("mvbench", "--data-root", tmp_path, "--decode", *options)
    assert code == 1 and "video_10009.mp4: not a video" in said and "2 things are wrong" in said
    assert "ZS9XR.mp4: has 1.6 s, question 'action_sequence-0' is about 7 s on" in said


def test_the_command_of_the_docs(run, tmp_path: Path, clip: Clip) -> None:
    page = (Path(__file__).parents[2] / "docs/benchmarks.md").read_text(encoding="utf-8")
    command = next(line.split() for line in page.splitlines() if line.startswith("python tools/dataset_tools/verify"))
    assert Path(command[1]).name == "verify_benchmark.py" and command[-2] == "--data-root"
    write_video_mme(tmp_path, clip("h264.mp4"))
    assert run(*command[2:-1], tmp_path)[0] == 0


def test_what_cannot_be_checked(run, tmp_path: Path) -> None:
    code, said = run("egoschema", "--data-root", tmp_path)
    assert code == 2 and "questions.json" in said and "subset_answers.json" in said
    code, said = run("egoshcema")
    assert code == 2 and "There is no benchmark 'egoshcema'" in said
