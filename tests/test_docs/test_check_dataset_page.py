"""The page says what the tools do."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from elva.apis.check_dataset import ERRORS, LEVELS, WARNINGS
from elva.registry import DATASETS
from elva.utils import launch
from tests.clips import RECIPES, render
from tests.test_apis.test_check_dataset.data import config, dataset
from tests.test_tools.tiny_recipe import make_data, stage
from tools.analysis_tools.benchmarks import BENCHMARKS
from tools.dataset_tools import check_dataset
from tools.visualization import browse_dataset

PAGE = (Path(__file__).parents[2] / "docs" / "check_dataset.md").read_text()
TOOLS = {"check_dataset.py": check_dataset, "browse_dataset.py": browse_dataset}
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The tiny recipe and its data."""
    root = tmp_path_factory.mktemp("page")
    make_data(root)
    return root


@pytest.fixture(scope="module")
def tiny(root):
    return stage("elva_tiny_stage3", root)


def run(monkeypatch, tool, words) -> int:
    monkeypatch.setattr(sys, "argv", words)
    try:
        return launch.run(tool.main)
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_work(command, tiny, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    Path("configs").mkdir()
    shutil.copy(tiny, "configs/elva_tiny_stage3.py")
    path = shlex.split(command)[1]
    assert (Path(__file__).parents[2] / path).is_file()
    assert run(monkeypatch, TOOLS[Path(path).name], shlex.split(command)[1:]) == 0, capsys.readouterr().err


def test_the_example_is_what_the_check_says(root, monkeypatch, tmp_path, capsys):
    rows = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1]
    expected = re.search(r"it says\n\n```\n(.*?)```", PAGE, re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text(rows)
    render(Path("a.mp4"), RECIPES["h264.mp4"])
    llm = str(root / "llm")
    data = {**dataset("rows.jsonl", Path(), llm), "data_root": ""}
    config(data, llm).dump("config.py")
    assert run(monkeypatch, check_dataset, ["check_dataset.py", "config.py", "--out", "out"]) == 1
    said = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in said if line.startswith("rows.jsonl: ")] == expected.splitlines()
    assert sorted(path.name for path in Path("out").iterdir()) == sorted(re.findall(r"^\| `(\w+\.\w+)` \|", PAGE, re.M))
    assert "skip_list=" in PAGE
    left = DATASETS.build({**data, "skip_list": "out/skip.jsonl"})
    assert [left.raw(index)["id"] for index in range(len(left))] == ["1", "5"]


def test_kinds_and_levels_are_all_there():
    kinds = re.findall(r"^\| `([a-z ]+)` \| (error|warning) \| (.*) \|$", PAGE, re.MULTILINE)
    expected = [(kind, "error", words) for kind, words in ERRORS.items()]
    expected += [(kind, "warning", words) for kind, words in WARNINGS.items()]
    assert [(kind, level, words.replace("`", "")) for kind, level, words in kinds] == expected
    assert re.findall(r"^\| `(\w+)` \| [^|]* \|$", PAGE, re.MULTILINE)[: len(LEVELS)] == list(LEVELS)


def test_options_exist(monkeypatch, capsys):
    known = ""
    for name, tool in TOOLS.items():
        monkeypatch.setattr(sys, "argv", [name, "--help"])
        with pytest.raises(SystemExit):
            tool.parse_args()
        known += capsys.readouterr().out
    options = set(re.findall(r"--[a-z][a-z-]+", PAGE)) - {"--only"}
    assert {option for option in options if option not in known} == set()
    assert "check-dataset" in BENCHMARKS and "--only check-dataset" in PAGE
