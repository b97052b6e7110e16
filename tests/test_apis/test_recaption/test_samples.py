import json
from pathlib import Path

import pytest

from elva.apis.recaption.samples import Samples


def samples(tmp_path: Path, *rows: dict) -> Samples:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Samples(tmp_path / "a.jsonl")


@pytest.mark.parametrize("video", [5, {"a": 1}, [5], [["a.mp4"]], True])
def test_what_names_no_file_is_explained(tmp_path: Path, video: object) -> None:
    found = samples(tmp_path, {"id": "s", "video": video})
    with pytest.raises(ValueError, match=r"a.jsonl: line 1: .*'video' must be a path or a list of paths"):
        found[0]
    assert found.named(0)["id"] == "s" and len(found.keys()) == 1


def test_ids_that_are_null_or_empty_are_none(tmp_path: Path) -> None:
    rows = [{"video": "a.mp4"} | more for more in ({}, {"id": None}, {"id": ""}, {"id": 0})]
    found = samples(tmp_path, *rows)
    assert [found[index].id for index in range(4)] == ["a-0", "a-1", "a-2", "0"]
    assert len(set(found.keys().tolist())) == 4


def test_the_tags_are_those_of_the_files(tmp_path: Path) -> None:
    talk = [{"from": "human", "value": "<video> and <image>?"}, {"from": "gpt", "value": "x"}]
    both = {"image": ["b.png"], "video": "a.mp4"}
    found = samples(tmp_path, both, both | {"conversations": talk}, {"video": ["1.mp4", "2.mp4"], "image": []})
    asked = [found[index].captioned("c", {})["conversations"][0]["value"] for index in range(3)]
    assert asked == ["<image>\n<video>", "<video>\n<image>", "<video>\n<video>"]
