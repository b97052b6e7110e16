"""What docs/evaluation_scores.md says is what happens."""

import ast
import re
import shlex
from pathlib import Path

from elva.evaluation import estimate_mean, parse_choice
from elva.evaluation.parsing import RULES
from elva.evaluation.wordnet import _DATA
from elva.registry import METRICS
from tools.analysis_tools import compare

PAGE = (Path(__file__).parents[2] / "docs" / "evaluation_scores.md").read_text(encoding="utf-8")
OPTIONS = ("opening the door", "closing the door", "a man is running", "waving")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_replies_are_read_as_the_table_says() -> None:
    assert "options A `{}`, B `{}`, C `{}`, D `{}`:".format(*OPTIONS) in PAGE
    rows = re.findall(r"^\| `(.+?)` \| ([A-D]|unparsable) \| (\w+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 17
    for reply, letter, rule in rows:
        expected = (None if letter == "unparsable" else letter, "" if rule == "none" else rule)
        assert parse_choice(reply, OPTIONS) == expected, reply


def test_the_rules_are_those_of_the_parser() -> None:
    assert re.findall(r"^\| \d \| `(\w+)` \|", PAGE, re.MULTILINE) == list(RULES)


def test_metrics_have_the_arguments_that_are_shown() -> None:
    blocks = _blocks("python")
    assert len(blocks) == 3
    for block in blocks:
        (assignment,) = ast.parse(block).body
        config = eval(ast.unparse(assignment.value))
        cls = METRICS.get(f"elva.{config.pop('type')}")
        names = set(cls.__init__.__code__.co_varnames) | {"group_by", "allow_missing"}
        assert set(config) <= names


def test_the_comparison_is_a_command() -> None:
    (command,) = [block for block in _blocks("sh") if "compare.py" in block]
    python, tool, *words = shlex.split(command.replace("\\\n", " "))
    assert (python, tool) == ("python", "tools/analysis_tools/compare.py")
    args = compare.parse_args(words)
    assert (args.group, str(args.changed)) == ("skill", "changed.jsonl")


def test_twenty_of_twenty() -> None:
    found = estimate_mean([1.0] * 20)
    assert f"{found.low:.3f} to {found.high:g}" == "0.839 to 1" and "0.839 to 1" in PAGE


def test_the_data_are_those_that_the_metric_asks_for() -> None:
    (fetch,) = re.findall(r"nltk\.downloader (.+)", PAGE)
    assert fetch.split() == [name.rpartition("/")[2] for name in _DATA]
