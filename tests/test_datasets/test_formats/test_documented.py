"""What docs/formats/ shows is loaded as it stands, and gives what its LLaVA writing gives."""

import csv
from pathlib import Path
from typing import Any

import pytest

from elva.datasets import VideoTextDataset, parse_sample
from elva.registry import DATASETS, SAMPLE_FORMATS

from .documented import configs, python, samples, write_samples

SAME = ("llava_video.json", "messages.jsonl", "parts.jsonl", "sharegpt.json", "alpaca.jsonl", "videollama3.jsonl")
"""Files that say what llava.jsonl says."""


def llava(id: str, video: str | None, *texts: str, image: str | None = None, **more: Any) -> dict[str, Any]:
    """A sample in LLaVA's form."""
    turns = [{"from": ("human", "gpt")[i % 2], "value": text} for i, text in enumerate(texts)]
    return {"id": id, "video": video or [], "image": image or [], "conversations": turns} | more


def system(text: str, sample: dict[str, Any]) -> dict[str, Any]:
    return sample | {"conversations": [{"role": "system", "content": text}, *sample["conversations"]]}


ASKED = "<video>\nDescribe the video."
LLAVA: dict[str, list[dict[str, Any]]] = {
    "videochat.json": [
        system("Answer in a word.", llava("videochat-0", "kitchen.mp4", "<video>\nWhat is cut?", "Onions.")),
        llava("videochat-1", "street.mp4", "<video>\nWhat drives by?", "A bus.", "Which colour?", "Red."),
        llava("videochat-2", "long.mp4", "<video>\nWho enters?", "A child.", bounds=[[12.5, 20]]),
        system("Describe the video.", llava("videochat-3", "beach.mp4", "<video>", "Two dogs run along the water.")),
        llava("videochat-4", None, "<image>\nHow many dogs are there?", "Two.", image="photo.jpg"),
    ],
    "video_chatgpt.json": [
        llava("video_chatgpt-0", "v_k1.mkv", "<video>\nWhat is the cook doing?", "Cutting onions."),
        llava("video_chatgpt-1", "v_s1.mkv", "<video>\nWhat drives by?", "A bus."),
        llava("video_chatgpt-2", "v_s1.mkv", "<video>\nWhich colour has the bus?", "Red."),
        llava("video_chatgpt-3", "v_p1.mkv", "<video>\nHow many dogs are there?", "Two."),
        llava("video_chatgpt-4", "v_l1.mkv", "<video>\nWho enters?", "A child."),
    ],
    "captions.csv": [
        llava("k1", "kitchen.mp4", ASKED, "A cook cuts onions."),
        llava("s1", "street.mp4", ASKED, "A red bus drives by, slowly."),
        llava("b1", "beach.mp4", ASKED, "Two dogs run along the water."),
        llava("r1", "run1.mp4", ASKED, "A runner stumbles,\nand gets up again."),
        llava("c1", "cat.mp4", ASKED, 'A cat looks at a sign that says "closed".'),
    ],
    "webvid.csv": [
        llava("1001", "000001_000050/1001.mp4", ASKED, "A cook cuts onions."),
        llava("1002", "000001_000050/1002.mp4", ASKED, "A red bus drives by."),
        llava("1003", "000051_000100/1003.mp4", ASKED, "Two dogs run along the water."),
        llava("1004", "000051_000100/1004.mp4", ASKED, "A runner gets up again."),
        llava("1005", "000051_000100/1005.mp4", ASKED, "A cat looks at a sign."),
    ],
    "sharegpt4video.jsonl": [
        llava("k1", "pexels/kitchen.mp4", ASKED, "A cook cuts onions."),
        llava("s1", "panda/street.mp4", ASKED, "A red bus drives by."),
        llava("b1", "panda/beach.mp4", ASKED, "Two dogs run along the water."),
        llava("r1", "ego4d/run1.mp4", ASKED, "A runner gets up again."),
        llava("c1", "pixabay/cat.mp4", ASKED, "A cat looks at a sign."),
    ],
    "captions/train": [
        llava("k1", "kitchen.mp4", ASKED, "A cook cuts onions."),
        llava("s1", "street.mp4", ASKED, "A red bus drives by."),
        llava("b1", "beach.mp4", ASKED, "Two dogs run along the water."),
        llava("r1", "run1.mp4", ASKED, "A runner gets up again."),
        llava("c1", None, "<image>\nDescribe the image.", "A cat looks at a sign.", image="cat.jpg"),
    ],
}
"""What the others say, in LLaVA's form."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_samples(tmp_path)
    (block,) = python("hf_datasets.md")
    exec(block, {})
    return tmp_path


def config_of(file: str) -> dict[str, Any]:
    return next(config for config in configs() if config.get("ann_file") == file)


def items(dataset: VideoTextDataset) -> list[dict[str, Any]]:
    found = [dataset.raw(index) for index in range(len(dataset))]
    return [{key: item.get(key) for key in ("id", "videos", "conversations", "bounds")} for item in found]


def expected(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [parse_sample(row, "videos") for row in rows]
    return [{key: item.get(key) for key in ("id", "videos", "conversations", "bounds")} for item in found]


@pytest.mark.parametrize("file", SAME)
def test_the_same_conversations_give_the_same_items(folder: Path, file: str) -> None:
    own = items(DATASETS.build(config_of("llava.jsonl")))
    assert len(own) == 5 and own[3]["videos"] == ["videos/run1.mp4", "videos/run2.mp4"]
    assert items(DATASETS.build(config_of(file))) == own


@pytest.mark.parametrize("file", LLAVA)
def test_samples_are_what_their_llava_writing_is(folder: Path, file: str) -> None:
    assert items(DATASETS.build(config_of(file))) == expected(LLAVA[file])


def test_every_sample_and_every_config_is_tested(folder: Path) -> None:
    annotated = {name for name in samples() if not name.endswith(".yaml")}
    assert annotated | {"captions/train"} == {"llava.jsonl", *SAME, *LLAVA}
    assert len([DATASETS.build(config) for config in configs()]) >= len(annotated) + 3


def test_every_format_has_a_sample(folder: Path) -> None:
    used = set()
    for file in ("llava.jsonl", *SAME, *LLAVA):
        dataset = DATASETS.build(config_of(file))
        formats = getattr(dataset.format, "formats", [dataset.format])
        rows = [row for part in dataset.files for row in (part[index] for index in range(len(part)))]
        used |= {type(next(each for each in formats if each.fits(row))).__name__ for row in rows}
    assert used == set(SAMPLE_FORMATS.names()) - {"AutoFormat"}


def test_configs_name_what_is_found_without_them(folder: Path) -> None:
    bare = items(VideoTextDataset("webvid.csv", "videos"))
    assert bare == expected(LLAVA["webvid.csv"])


def test_parquet_reads_as_csv_does(folder: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    with open("captions.csv", newline="", encoding="utf-8") as file:
        parquet.write_table(pa.Table.from_pylist(list(csv.DictReader(file))), "captions.parquet")
    assert items(VideoTextDataset("captions.parquet", "videos")) == expected(LLAVA["captions.csv"])


def test_the_format_of_ones_own_works(folder: Path) -> None:
    Path("own.jsonl").write_text('{"key": "a", "clip": "a.mp4", "prompt": "What?", "reply": "This."}\n')
    (block,) = python("index.md")
    name = "PromptFormat"
    try:
        exec(block, {})
        found = items(VideoTextDataset("own.jsonl", "videos", format={"type": name}))
    finally:
        SAMPLE_FORMATS.module_dict.pop(name, None)
    assert found == expected([llava("a", "a.mp4", "<video>\nWhat?", "This.")])


def test_mixtures_take_what_they_say(folder: Path) -> None:
    in_config, in_file = (DATASETS.build(c) for c in configs() if c["type"].startswith("Mixture"))
    assert [len(dataset) for dataset in in_config.datasets] == [5, 3]
    assert [len(dataset) for dataset in in_file.datasets] == [4, 5, 2] and len(in_file) == 11
    assert in_file.datasets[1].raw(0)["videos"] == ["captioned/kitchen.mp4"]
    assert in_file.datasets[2].raw(0)["videos"][0].endswith(".webm")
