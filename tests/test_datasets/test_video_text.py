import json
import pickle
import traceback
from pathlib import Path

import pytest
from torch.utils.data import DataLoader

from elva.datasets import SkipLog, VideoTextDataset
from elva.datasets.item_dataset import _stride
from elva.datasets.readers.base import VideoReadError
from elva.registry import DATASETS


def _read(item: dict) -> dict:
    """Stands in for the reader: files named 'bad' cannot be read."""
    if "error" not in item and any("bad" in path for path in item["videos"]):
        raise VideoReadError(f"{item['videos'][0]}: no video stream")
    return item


def _file(path: Path, names: list[str], **keys: object) -> str:
    talk = [{"from": "human", "value": "<video>\nWhat?"}, {"from": "gpt", "value": "This."}]
    samples = [{"id": f"s{i}", "video": name, "conversations": talk} | keys for i, name in enumerate(names)]
    path.write_text(json.dumps(samples))
    return str(path)


def _error_of_loading(dataset: VideoTextDataset) -> str:
    """The message alone; the traceback's frames would keep the loader's workers, and leave them to the collector."""
    try:
        list(DataLoader(dataset, batch_size=None, num_workers=2))
    except ValueError as error:
        traceback.clear_frames(error.__traceback__)
        return str(error)
    return ""


def _names(good: int, bad: int) -> list[str]:
    return [f"bad{i}.mp4" for i in range(bad)] + [f"{i}.mp4" for i in range(good)]


def test_items_come_from_the_registry_built_dataset(tmp_path: Path) -> None:
    file = _file(tmp_path / "a.json", _names(3, 0), skill="count")
    dataset = DATASETS.build({"type": "VideoTextDataset", "ann_file": file, "data_root": "/v", "pipeline": [_read]})
    assert len(dataset) == 3 and dataset.metainfo == {"ann_file": file}
    assert dataset[1]["videos"] == ["/v/1.mp4"] and dataset[1]["meta"] == {"skill": "count"}


def test_several_files_are_one_dataset(tmp_path: Path) -> None:
    files = [_file(tmp_path / "a.json", ["1.mp4"]), _file(tmp_path / "b.json", ["2.mp4"])]
    dataset = VideoTextDataset(files)
    assert [dataset[i]["videos"][0] for i in range(len(dataset))] == ["1.mp4", "2.mp4"]


def test_a_bad_sample_is_replaced_by_the_same_other_one_and_noted(tmp_path: Path, caplog) -> None:
    dataset = VideoTextDataset(_file(tmp_path / "a.json", _names(30, 1)), pipeline=[_read])
    dataset.skip_log = SkipLog(tmp_path / "skipped.jsonl")
    first, second = dataset[0], dataset[0]
    assert first["id"] == second["id"] != "s0"
    record = json.loads((tmp_path / "skipped.jsonl").read_text().splitlines()[0])
    assert record["id"] == "s0" and record["video"] == ["bad0.mp4"] and "no video stream" in record["error"]


def test_a_wrong_annotation_is_skipped_too(tmp_path: Path) -> None:
    file = _file(tmp_path / "a.json", _names(5, 0))
    samples = json.loads(Path(file).read_text())
    samples[2]["conversations"][0]["value"] = "no tag"
    Path(file).write_text(json.dumps(samples))
    dataset = VideoTextDataset(file)
    assert dataset[2]["id"] != "s2"
    error = dataset.skip_log.errors(file)["s2"]
    assert error.startswith(f"{file}: item 2 (line 1): sample 's2': the questions have 0")


@pytest.mark.parametrize(("good", "bad", "share"), [(298, 2, 0.0), (398, 5, 0.01), (0, 1, 1.0), (0, 3, 1.0)])
def test_too_many_bad_samples_stop_the_run_with_the_list(tmp_path: Path, good: int, bad: int, share: float) -> None:
    dataset = VideoTextDataset(_file(tmp_path / "a.json", _names(good, bad)), pipeline=[_read], max_skip_share=share)
    with pytest.raises(ValueError, match=rf"{bad} of {good + bad} samples of .*\n  s\d: ") as caught:
        [dataset[i] for i in range(bad)]
    assert all(f"s{i}: bad{i}.mp4: no video stream" in str(caught.value) for i in range(bad))


def test_the_allowed_share_does_not_stop_the_run(tmp_path: Path) -> None:
    dataset = VideoTextDataset(_file(tmp_path / "a.json", _names(396, 4)), pipeline=[_read])
    assert all("bad" not in dataset[i]["videos"][0] for i in [*range(8), *range(8)])


def test_in_place_of_a_bad_sample_any_other_may_come() -> None:
    for length in (1, 2, 3, 10, 34, 55, 100):
        stride = _stride(length)
        assert len({turn * stride % length for turn in range(length)}) == length


def test_bad_samples_of_one_id_do_not_go_round_for_ever(tmp_path: Path) -> None:
    dataset = VideoTextDataset(_file(tmp_path / "a.json", _names(0, 5), id="same"), pipeline=[_read])
    with pytest.raises(ValueError, match="not one of the 5 samples"):
        dataset[0]


def test_workers_share_one_count(tmp_path: Path) -> None:
    dataset = VideoTextDataset(_file(tmp_path / "a.json", _names(92, 8)), pipeline=[_read], max_skip_share=0.04)
    dataset.skip_log = SkipLog(tmp_path / "skipped.jsonl")
    assert "max_skip_share=0.04 allows" in _error_of_loading(dataset)
    workers = {json.loads(line)["worker"] for line in (tmp_path / "skipped.jsonl").read_text().splitlines()}
    assert workers == {0, 1}


def test_in_testing_a_bad_sample_stays_and_says_why(tmp_path: Path) -> None:
    dataset = VideoTextDataset(_file(tmp_path / "a.json", _names(1, 3), skill="x"), pipeline=[_read], mode="test")
    items = [dataset[i] for i in range(4)]
    assert [item["id"] for item in items] == ["s0", "s1", "s2", "s3"]
    assert items[0]["error"] == "bad0.mp4: no video stream" and items[0]["meta"] == {"skill": "x"}
    assert items[0]["conversations"][0]["content"] == "<video>\nWhat?" and "error" not in items[3]
    assert len(dataset.skip_log.errors(dataset.metainfo["ann_file"])) == 3


def test_in_testing_a_wrong_annotation_stays_too(tmp_path: Path) -> None:
    dataset = VideoTextDataset(_file(tmp_path / "a.json", ["a.mp4"], conversations=[]), mode="test")
    item = dataset[0]
    assert "conversation is empty" in item["error"] and len(item["videos"]) == 1
    assert item["conversations"] == [{"role": "user", "content": "<video>"}]


def test_other_errors_are_not_hidden(tmp_path: Path) -> None:
    def broken(item: dict) -> dict:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        VideoTextDataset(_file(tmp_path / "a.json", ["a.mp4"]), pipeline=[broken])[0]


def test_dataset_is_picklable(tmp_path: Path) -> None:
    dataset = pickle.loads(pickle.dumps(VideoTextDataset(_file(tmp_path / "a.json", ["a.mp4"]), pipeline=[_read])))
    assert dataset[0]["id"] == "s0"


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    file = _file(tmp_path / "a.json", ["a.mp4"])
    with pytest.raises(ValueError, match="mode must be 'train' or 'test', got 'val'"):
        VideoTextDataset(file, mode="val")
    with pytest.raises(ValueError, match="max_skip_share must lie in"):
        VideoTextDataset(file, max_skip_share=2)
    with pytest.raises(ValueError, match="Did you mean 'ann_file'"):
        DATASETS.build({"type": "VideoTextDataset", "ann_fil": file})
