"""From shards to batches: streamed, shared out, resumed."""

import io
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from PIL import Image

from elva.datasets import MixtureDataset, VideoTextDataset
from elva.datasets.readers import VideoReadError
from elva.datasets.transforms import LoadVideo
from elva.registry import TRANSFORMS, register_all_modules
from elva.structures import FramePlan
from elva.utils.media_path import member_path
from tests.test_datasets.test_webdataset.shards import captioned, write_shard, write_shards
from tests.test_engine.toy import toy_config, train

LOAD = {
    "type": "LoadVideo",
    "reader": {"type": "PyAVReader"},
    "sampler": {"type": "UniformSampler", "num_frames": 1},
    "resolution": {"type": "FixedResolution", "size": (16, 16)},
}
SIZES, BATCH = [7, 0, 4, 9], 3


@TRANSFORMS.register_module()
class ToToyInputs:
    """What ``ToyModel`` takes: four numbers that the picture decides."""

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        return {
            "inputs": item["clips"][0].pixels[0].float().mean((0, 2, 3)).repeat(2)[:4] / 255,
            "data_samples": item["id"],
        }


def picture(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (20, 20), (number * 9, number, 255 - number)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def pattern(tmp_path) -> str:
    """Shards of pictures, two of them bad: fewer shards than the most workers that are tried."""
    register_all_modules()
    number = 0
    for index, size in enumerate(SIZES):
        members = []
        for _ in range(size):
            members += captioned(f"{number:06d}", b"" if number in (2, 15) else picture(number), "png")
            number += 1
        write_shard(tmp_path / f"{index:05d}.tar", members)
    return f"{tmp_path}/{{00000..0000{len(SIZES) - 1}}}.tar"


def dataset(pattern: str) -> dict[str, Any]:
    pipeline = [LOAD, {"type": "ToToyInputs"}]
    return {"type": "VideoTextDataset", "ann_file": pattern, "pipeline": pipeline, "max_skip_share": 0.5}


def loader_config(pattern: str, workers: int = 0) -> dict[str, Any]:
    return {
        "dataset": dataset(pattern),
        "sampler": {"type": "ShardSampler", "window": 5},
        "batch_size": BATCH,
        "num_workers": workers,
        "collate_fn": {"type": "pseudo_collate"},
    }


def batches(pattern: str, workers: int, skip: int = 0) -> Iterator[tuple[list[str], torch.Tensor]]:
    """The stream after ``skip`` batches, as ``ResumableIterLoop`` starts it."""
    loader = Runner.build_dataloader(loader_config(pattern, workers), seed=1)
    list(islice(loader.sampler.indices, skip * BATCH))
    for batch in loader:
        yield batch["data_samples"], torch.stack(batch["inputs"])


def check_same(found: Iterator[Any], expected: list[Any]) -> None:
    for (names, pixels), (expected_names, expected_pixels) in zip(found, expected, strict=False):
        assert names == expected_names
        assert torch.equal(pixels, expected_pixels)


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_the_stream_does_not_depend_on_workers_and_resumes_at_every_batch(pattern, workers):
    count = 10  # past the end of the first epoch, 20 samples
    expected = list(islice(batches(pattern, 0), count))
    check_same(islice(batches(pattern, workers), count), expected)
    for skip in range(1 + workers, count, 4):  # every batch, by one of the four numbers of workers
        check_same(islice(batches(pattern, workers, skip), count - skip), expected[skip:])


def test_bad_samples_are_replaced_without_moving_the_others(pattern):
    loader = Runner.build_dataloader(loader_config(pattern), seed=1)
    wanted = list(islice(Runner.build_dataloader(loader_config(pattern), seed=1).sampler.indices, 20))
    names = [name for batch in islice(loader, 7) for name in batch["data_samples"]][:20]
    numbers = [int(name.rpartition("/")[2]) for name in names]
    assert sorted(wanted) == list(range(20))
    moved = {index: number for index, number in zip(wanted, numbers, strict=True) if index != number}
    assert set(moved) == {2, 15}
    errors = loader.dataset.skip_log.errors(loader.dataset.source)
    assert set(errors) == {"00000/000002", "00003/000015"}
    assert "00003.tar::000015.png: is empty" in errors["00003/000015"]


def toy(tmp_path: Path, pattern: str, **options: Any) -> Any:
    cfg = toy_config(tmp_path, **options)
    for key, value in loader_config(pattern, workers=cfg.train_dataloader.num_workers).items():
        cfg.train_dataloader[key] = value
    return cfg


def test_training_resumes_inside_of_a_shard(tmp_path, pattern):
    whole = train(toy(tmp_path / "whole", pattern)).model.losses
    first = toy(tmp_path / "parts", pattern, default_hooks__checkpoint__interval=5)
    first.train_cfg.max_iters = 5
    train(first)
    second = train(toy(tmp_path / "parts", pattern, resume=True, train_dataloader__num_workers=2)).model.losses
    assert len(whole) == 12
    assert second == whole[5:]


def test_videos_are_taken_out_of_shards_and_removed_again(tmp_path, clip, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    video = Path(clip("h264.mp4"))
    shard = write_shard(tmp_path / "0.tar", [*captioned("1", video.read_bytes()), *captioned("2", b"no video")])
    load: LoadVideo = TRANSFORMS.build(LOAD)
    name = member_path(shard, "1.mp4")
    found, expected = load.load(name), load.load(str(video))
    assert found.path == name
    assert found.plan == expected.plan
    assert torch.equal(found.pixels[0], expected.pixels[0])
    with load.open(name) as opened:
        assert opened.meta.path == name
        assert opened.clip(FramePlan((0.0,), ((16, 16),))).pixels[0].shape == (1, 3, 16, 16)
        assert Path(opened.path).read_bytes() == video.read_bytes()
    with pytest.raises(VideoReadError) as error:
        load.load(member_path(shard, "2.mp4"))
    assert str(error.value).startswith(f"{shard}::2.mp4: ")
    assert "scratch" not in str(error.value)
    assert not list((tmp_path / "scratch").iterdir())


def test_a_member_or_shard_that_is_not_there_is_a_bad_video(tmp_path):
    load: LoadVideo = TRANSFORMS.build(LOAD)
    shard = write_shard(tmp_path / "0.tar", captioned("1"))
    with pytest.raises(VideoReadError, match=r"0\.tar::3\.mp4: cannot be taken out of its shard \(.*no member"):
        load.load(member_path(shard, "3.mp4"))
    with pytest.raises(VideoReadError, match=r"9\.tar::3\.mp4: cannot be taken out of its shard \(.*No such file"):
        load.load(member_path(tmp_path / "9.tar", "3.mp4"))


def test_cached_frames_of_a_shard_need_neither_reader_nor_copy(tmp_path, clip, monkeypatch):
    shard = write_shard(tmp_path / "0.tar", captioned("1", Path(clip("h264.mp4")).read_bytes()))
    config = LOAD | {"cache": {"directory": str(tmp_path / "cache")}}
    first = TRANSFORMS.build(config).load(member_path(shard, "1.mp4"))
    monkeypatch.setattr("elva.datasets.open_video.copy_member", lambda *_: pytest.fail("taken out again"))
    second = TRANSFORMS.build(config).load(member_path(shard, "1.mp4"))
    assert second.plan == first.plan
    assert np.array_equal(second.pixels[0], first.pixels[0])


def test_shards_stand_beside_other_sources_in_a_mixture(tmp_path):
    shards = VideoTextDataset(write_shards(tmp_path, [3, 3]))
    (tmp_path / "a.jsonl").write_text('{"id": "a", "video": "a.mp4", "caption": "A."}\n')
    mixture = MixtureDataset(
        {"tar": {"dataset": shards}, "lines": {"dataset": VideoTextDataset(f"{tmp_path}/a.jsonl")}}
    )
    assert {mixture[index]["id"] for index in range(len(mixture))} == {f"0000{i // 3}/00000{i}" for i in range(6)} | {
        "a"
    }
