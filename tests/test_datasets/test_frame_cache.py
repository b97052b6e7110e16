import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from elva.datasets.readers import PyAVReader, VideoReadError
from elva.datasets.transforms import LoadVideo
from elva.registry import TRANSFORMS
from elva.structures import Clip

HYBRID = {"type": "HybridResolution", "base": {"type": "FixedResolution", "size": (32, 64)}, "group": 2}
NATIVE = {"type": "NativeResolution", "patch_size": 8, "max_patches": 1000}


def loader(cache: Path | None = None, frames: int = 4, resolution: dict | None = None, **reader: Any) -> LoadVideo:
    return LoadVideo(
        reader={"type": "PyAVReader"} | reader,
        sampler={"type": "UniformSampler", "num_frames": frames},
        resolution=resolution or HYBRID,
        cache={"directory": str(cache)} if cache else None,
    )


class BlindReader:
    def probe(self, path: str) -> None:
        pytest.fail(f"{path} was opened")

    def read(self, path: str, seconds: Any) -> None:
        pytest.fail(f"{path} was decoded")


def blind(cache: Path, **options: Any) -> LoadVideo:
    """A pipeline of a second run: it must not touch a video."""
    load = loader(cache, **options)
    load.reader = BlindReader()
    return load


def check_same(found: Clip, expected: Clip) -> None:
    assert found.plan == expected.plan
    assert found.path == expected.path
    for ours, theirs in zip(found.pixels, expected.pixels, strict=True):
        assert ours.dtype == theirs.dtype and ours.stride() == theirs.stride()
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("resolution", [HYBRID, NATIVE], ids=["two sizes", "own size"])
@pytest.mark.parametrize("name", ["h264.mp4", "variable.webm", "rotated_90.mp4", "one_frame.mp4"])
def test_the_second_epoch_opens_no_video_and_gets_the_same_bytes(tmp_path, clip, name, resolution):
    expected = loader(resolution=resolution).load(clip(name))
    check_same(loader(tmp_path, resolution=resolution).load(clip(name)), expected)
    check_same(blind(tmp_path, resolution=resolution).load(clip(name)), expected)


def test_a_frame_folder_and_a_part_of_a_video_are_kept_as_well(tmp_path, clip):
    from PIL import Image

    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(6):
        Image.new("RGB", (64, 32), (number * 40, 0, 0)).save(folder / f"{number}.png")
    options = {"type": "FrameFolderReader", "fps": 3.0}
    expected = loader(tmp_path / "cache", **options).load(str(folder))
    check_same(blind(tmp_path / "cache", **options).load(str(folder)), expected)
    part = loader(tmp_path / "cache").load(clip("h264.mp4"), bounds=(0.4, 1.2))
    check_same(blind(tmp_path / "cache").load(clip("h264.mp4"), bounds=(0.4, 1.2)), part)
    assert part.plan.seconds[0] >= 0.4 - 0.04


def test_a_copied_or_touched_file_is_not_decoded_again(tmp_path, clip, monkeypatch):
    cache = tmp_path / "cache"
    first = loader(cache).load(clip("h264.mp4"))
    copy = tmp_path / "copy.mp4"
    shutil.copy(clip("h264.mp4"), copy)
    os.utime(copy, ns=(5, 5))
    monkeypatch.setattr(PyAVReader, "read", lambda *_: pytest.fail("decoded again"))
    assert torch.equal(loader(cache).load(str(copy)).pixels[0], first.pixels[0])


def test_another_content_plan_size_or_reader_is_another_clip(tmp_path, clip, monkeypatch):
    cache, video = tmp_path / "cache", tmp_path / "a.mp4"
    shutil.copy(clip("h264.mp4"), video)
    reads = []
    read = PyAVReader.read
    monkeypatch.setattr(PyAVReader, "read", lambda self, *args: reads.append(args) or read(self, *args))
    loader(cache).load(str(video))
    loader(cache, threads=2, timeout=9.0).load(str(video))  # changes no pixel
    assert len(reads) == 1
    loader(cache, frames=3).load(str(video))
    loader(cache, resolution=NATIVE).load(str(video))
    assert len(reads) == 3
    shutil.copy(clip("hevc.mp4"), video)
    assert not torch.equal(loader(cache).load(str(video)).pixels[0], loader().load(clip("h264.mp4")).pixels[0])
    fresh = loader(cache, type="DecordReader").load(str(video))
    assert len(list(cache.rglob("*.safetensors"))) == 4 + 2 + 2  # clips and facts: h264, hevc, hevc by decord
    check_same(blind(cache, type="DecordReader").load(str(video)), fresh)


def test_frames_of_an_earlier_way_of_decoding_count_for_nothing(tmp_path, clip, monkeypatch):
    loader(tmp_path).load(clip("h264.mp4"))
    monkeypatch.setattr("elva.datasets.frame_cache._VERSION", 99)
    with pytest.raises(pytest.fail.Exception, match="was opened"):
        blind(tmp_path).load(clip("h264.mp4"))


def test_what_cannot_be_read_is_not_kept(tmp_path, clip):
    for name in ("missing.mp4", "empty.mp4", "text.mp4"):
        with pytest.raises(VideoReadError, match=name):
            loader(tmp_path).load(clip(name))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_broken_file_of_the_cache_costs_a_decoding(tmp_path, clip):
    expected = loader(tmp_path).load(clip("h264.mp4"))
    for path in tmp_path.rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:50])
    check_same(loader(tmp_path).load(clip("h264.mp4")), expected)
    check_same(blind(tmp_path).load(clip("h264.mp4")), expected)


def _load(cache: Path, path: str) -> float:
    return float(loader(cache).load(path).pixels[0].float().mean())


def test_processes_that_load_the_same_video_at_once_agree(tmp_path, clip):
    with ProcessPoolExecutor(3) as pool:
        means = list(pool.map(_load, [tmp_path] * 9, [clip("h264.mp4"), clip("vp9.webm"), clip("hevc.mp4")] * 3))
    assert means == [_load(tmp_path, clip(name)) for name in ("h264.mp4", "vp9.webm", "hevc.mp4")] * 3
    assert not list(tmp_path.rglob("*.part"))
    assert len(list(tmp_path.rglob("*.safetensors"))) == 6


def test_the_bound_is_that_of_the_folder(tmp_path, clip):
    sampler = {"type": "UniformSampler", "num_frames": 4}
    bounded = LoadVideo({"type": "PyAVReader"}, sampler, NATIVE, {"directory": str(tmp_path), "max_bytes": 100_000})
    for name in ("h264.mp4", "hevc.mp4", "vp9.webm", "late.mp4", "full_range.mp4"):
        bounded.load(clip(name))
        assert sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors")) <= 100_000


def test_the_config_of_the_page_builds():
    page = (Path(__file__).parents[2] / "docs" / "frame_cache.md").read_text()
    config = eval(page.split("```python\n")[1].split("```")[0], {"dict": dict})
    load = TRANSFORMS.build(config)
    assert load.cache.store.max_bytes == config["cache"]["max_bytes"]
