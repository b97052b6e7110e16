"""What docs/recaption.md shows is what happens."""

import json
import re
import runpy
import shlex
from pathlib import Path

import pytest

from elva.apis.recaption import recaption
from elva.apis.recaption.validate import Rules
from tests.test_apis.test_recaption.chat_server import CAPTION
from tests.test_apis.test_recaption.conftest import lines

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "recaption.md").read_text(encoding="utf-8")
TOOL = "tools/dataset_tools/recaption.py"
COMMANDS = re.findall(rf"^python {TOOL} (.+)$", PAGE, re.MULTILINE)
tool = runpy.run_path(str(ROOT / TOOL))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one(command):
    job = tool["job_of"](tool["parse_args"](shlex.split(command)))
    assert job.protocol.model and (job.ray is not None) == ("--engine ray" in command)


def test_the_options_named_with_a_value_have_it_as_their_default():
    defaults = vars(tool["parse_args"](["a.json", "--out", "b.jsonl", "--model", "m"]))
    named = re.findall(r"`--([a-z-]+) ([\d.]+|en)`", PAGE)
    assert len(named) > 10
    assert {name: float(value) if value != "en" else value for name, value in named} == {
        name: defaults[name.replace("-", "_")] for name, _ in named
    }


def test_the_sample_is_what_comes_out(job, tmp_path, clip, server):
    shown = json.loads(re.search(r"```json\n(.+?)```", PAGE, re.DOTALL)[1])
    turns = [{"from": "human", "value": "<video>\nDescribe."}, {"from": "gpt", "value": shown["raw_caption"]}]
    row = {"id": shown["id"], "video": shown["video"], "conversations": turns}
    annotation = tmp_path / "clip.jsonl"
    annotation.write_text(json.dumps(row))
    (tmp_path / "clips").mkdir()
    (tmp_path / shown["video"]).write_bytes(Path(clip("h264.mp4")).read_bytes())
    made = job(annotation, data_root=str(tmp_path))
    recaption(made)
    (written,) = lines(made.out)
    shown["recaption"]["protocol"] = made.protocol.digest
    assert written == shown
    beside = {path.name.replace("new.jsonl", "recaptioned.jsonl") for path in made.out.parent.iterdir()}
    assert {name for name in beside if f"`{name}`" in PAGE or f"`{name}/`" in PAGE} == beside


def test_every_rule_is_listed():
    rules = Rules(max_words=40)
    broken = {
        "length": "A ball.",
        "refusal": "I'm sorry, I cannot see it.",
        "language": "Der Ball rollt über die Wiese und der Hund läuft mit.",
        "repetition": "the ball rolls and " * 10,
        "markup": "<think>" + CAPTION,
        "empty": "...",
    }
    assert {name: rules.fault(text)[0] for name, text in broken.items()} == {name: name for name in broken}
    assert rules.fault(CAPTION, "length")[0] == "truncated"
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == {*broken, "truncated", "error"}
