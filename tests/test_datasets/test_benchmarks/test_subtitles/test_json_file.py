import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from elva.datasets.benchmarks.subtitles import Subtitle, read_json_subtitles


def _read(tmp_path: Path, content: Any) -> list[Subtitle]:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    return read_json_subtitles(path)


def test_recognised_speech(tmp_path: Path) -> None:
    content = [{"timestamp": [0, 1.5], "text": " hello "}, {"timestamp": [2.0, None], "text": "bye"}]
    assert _read(tmp_path, content) == [Subtitle(0.0, 1.5, "hello"), Subtitle(2.0, math.inf, "bye")]


def test_published_subtitles(tmp_path: Path) -> None:
    content = [
        {"start": "00:00:01.250", "end": "00:00:02.000", "line": "<i>hello</i>\nthere"},
        {"start": "01:00:00", "end": "01:00:01.5", "line": "\u266a"},
        {"start": "01:00:02", "end": "01:00:03", "line": " "},
    ]
    assert _read(tmp_path, content) == [Subtitle(1.25, 2.0, "hello there"), Subtitle(3600.0, 3601.5, "\u266a")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"lines": []}, "must hold a list of lines, got a dict"),
        ([{"timestamp": [0, 1], "text": "a"}, {"text": "b"}], "line 1 is neither {timestamp, text} nor"),
        ([{"start": "soon", "end": "later", "line": "a"}], "line 0 is neither"),
        ([{"timestamp": [0], "text": "a"}], "line 0 is neither"),
        (["a"], "line 0 is neither"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        _read(tmp_path, content)
    assert "a.json" in str(error.value)


def test_what_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("1\n00:00")
    with pytest.raises(ValueError, match="a.json: is not JSON"):
        read_json_subtitles(tmp_path / "a.json")
