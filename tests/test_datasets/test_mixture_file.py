import json
from pathlib import Path

import pytest

from elva.apis.cost.sample import leaves
from elva.datasets import MixtureFile
from elva.registry import DATASETS


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, count in (("a", 10), ("b", 4)):
        rows = [{"id": f"{name}{i}", "video": f"{i}.mp4", "caption": "x"} for i in range(count)]
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def mixture(text: str, **options: object) -> MixtureFile:
    Path("mix.yaml").write_text(text)
    return DATASETS.build({"type": "MixtureFile", "file": "mix.yaml", **options})


def test_names_of_llava_next_and_our_own_mean_the_same() -> None:
    ours = mixture("datasets:\n  - ann_file: a.jsonl\n    take: end:20%\n  - ann_file: b.jsonl\n")
    theirs = mixture("datasets:\n  - json_path: a.jsonl\n    sampling_strategy: end:20%\n  - json_path: b.jsonl\n")
    ids = [ours[index]["id"] for index in range(len(ours))]
    assert sorted(ids) == ["a8", "a9", "b0", "b1", "b2", "b3"]
    assert ids == [theirs[index]["id"] for index in range(len(theirs))]


def test_entries_have_weights_folders_and_formats() -> None:
    found = mixture(
        "datasets:\n"
        "  - {ann_file: a.jsonl, weight: 3, data_root: own, format: CaptionFormat}\n"
        "  - {ann_file: b.jsonl, weight: 1, format: {type: CaptionFormat, question: 'What?'}}\n",
        data_root="shared",
        length=8,
        pipeline=[lambda item: item | {"seen": True}],
    )
    items = [found[index] for index in range(8)]
    assert [item["id"][0] for item in items].count("a") == 6 and all(item["seen"] for item in items)
    assert {path.split("/")[0] for item in items for path in item["videos"]} == {"own", "shared"}
    assert found.datasets[1].raw(0)["conversations"][0]["content"] == "<video>\nWhat?"


def test_entries_leave_out_what_their_list_says() -> None:
    Path("skip.jsonl").write_text('{"id": "a3", "index": 3}\n')
    assert len(mixture("datasets:\n  - {ann_file: a.jsonl, skip_list: skip.jsonl}\n")) == 9


def test_tools_see_the_sources() -> None:
    Path("mix.yaml").write_text("datasets:\n  - {ann_file: a.jsonl, weight: 2}\n  - {ann_file: b.jsonl, weight: 1}\n")
    config = {"type": "MixtureFile", "file": "mix.yaml", "data_root": "v", "length": 5, "pipeline": ["step"]}
    found = [(leaf["ann_file"], leaf["data_root"], leaf["pipeline"], weight) for leaf, weight in leaves(config)]
    assert found == [("a.jsonl", "v", ["step"], 2), ("b.jsonl", "v", ["step"], 1)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("datasets: [", "(?s)mix.yaml is not YAML: .*line 1"),
        ("- a.jsonl", "mix.yaml: expected the one key 'datasets'"),
        ("datasets: []", "mix.yaml: expected the one key 'datasets'"),
        ("datasets: [a.jsonl]", "mix.yaml: entry 1: expected keys and values"),
        (
            "datasets:\n  - json_path: a.jsonl\n  - {json_path: b.jsonl, sampling_stratgy: all}",
            "mix.yaml: entry 2: unknown key 'sampling_stratgy'. Did you mean 'sampling_strategy'",
        ),
        ("datasets: [{weight: 1}]", "entry 1: neither 'json_path' nor 'ann_file'"),
        ("datasets: [{json_path: a.jsonl, ann_file: b.jsonl}]", "'json_path' and 'ann_file' are the same"),
        ("datasets: [{json_path: a.jsonl, take: half}]", "mix.yaml: entry 1: take='half': expected 'all'"),
        ("datasets: [{json_path: a.jsonl, format: Captions}]", "mix.yaml: entry 1: 'Captions' is not in the registry"),
        ("datasets: [{json_path: a.jsonl, name: x}, {json_path: b.jsonl, name: x}]", "the name 'x' is taken"),
        (
            "datasets: [{json_path: a.jsonl, weight: 1}, {json_path: b.jsonl}]",
            "mix.yaml: MixtureDataset: give every source a weight or none; there is none for b",
        ),
    ],
)
def test_what_is_wrong_is_said_with_file_and_entry(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mixture(text)


def test_missing_files_are_named() -> None:
    with pytest.raises(FileNotFoundError, match="Mixture file 'none.yaml' does not exist"):
        MixtureFile("none.yaml")
    with pytest.raises(FileNotFoundError, match="Mixture file '.' is a folder"):
        MixtureFile(".")
    with pytest.raises(FileNotFoundError, match="mix.yaml: entry 1: Annotation file 'c.json' does not exist"):
        mixture("datasets: [{json_path: c.json}]")
