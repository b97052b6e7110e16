"""Whatever stands in a row, a format converts it or says what is wrong: other errors would end a training."""

import json
import random
from typing import Any

import pytest

from elva.datasets import parse_sample
from elva.datasets.formats import AutoFormat
from elva.registry import SAMPLE_FORMATS

from .documented import samples

ODD: list[Any] = [None, "", 0, 1.5, True, [], {}, "x", [None], [[]], [{}], {"a": 1}, ["a", 5], float("nan"), "\ud83d"]
ODD += [[["a"]], {"url": "x"}, {"type": "video"}, [{"type": "text"}], [1, 2]]
SPOILT = 30


def documented_rows() -> list[dict[str, Any]]:
    """Rows of all formats that are written as JSON, one with everything that a row may have, and columns."""
    texts = [text for name, text in samples().items() if name.endswith((".json", ".jsonl"))]
    rows = [
        row
        for text in texts
        for row in (json.loads(text) if text[0] == "[" else map(json.loads, text.split("\n")[:-1]))
    ]
    talk = [{"from": "human", "value": "<video><image>Q"}, {"from": "gpt", "value": "A"}]
    rows.append({"id": 1, "image": ["b.png"], "video": ["a.mp4"], "conversations": talk, "bounds": [[1, 2]]})
    rows += [{"video": "a.mp4", "caption": "A cat."}, {"question": "Q", "answer": "A", "video": "a.mp4"}]
    return rows


def places(value: Any, *path: Any) -> list[tuple[Any, ...]]:
    """The paths of all values inside of ``value``."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, part in inner for found in [(*path, key), *places(part, *path, key)]]


def spoilt(row: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """A copy of ``row`` in which a value or two are gone or odd."""
    row = json.loads(json.dumps(row))
    for _ in range(draw.choice([1, 1, 2])):
        found = places(row)
        if found:
            *path, last = draw.choice(found)
            target: Any = row
            for key in path:
                target = target[key]
            target[last] = json.loads(json.dumps(draw.choice(ODD)))
            if draw.random() < 0.2:
                del target[last]
    return row


@pytest.mark.parametrize("name", sorted(set(SAMPLE_FORMATS.names())))
def test_rows_become_items_or_value_errors(name: str) -> None:
    own, keys = SAMPLE_FORMATS.build({"type": name}), AutoFormat()
    draw = random.Random(0)
    read = 0
    for row in documented_rows():
        for _ in range(SPOILT):
            odd = spoilt(row, draw)
            for each in (own, keys):
                try:
                    item = parse_sample({"id": "a"} | each.convert(odd), answered=draw.random() < 0.5)
                except ValueError:
                    continue
                read += 1
                assert all(isinstance(path, str) for path in item["videos"]), odd
                assert all(isinstance(turn["content"], str) for turn in item["conversations"]), odd
    assert read > SPOILT
