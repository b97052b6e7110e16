"""docs/formats/webdataset.md: the shard that it makes is read by the config that it shows."""

import subprocess
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from elva.registry import TRANSFORMS, register_all_modules
from elva.utils.media_path import member_path

PAGE = (Path(__file__).parents[3] / "docs" / "formats" / "webdataset.md").read_text(encoding="utf-8")

LOAD = {
    "type": "LoadVideo",
    "reader": {"type": "DecordReader"},
    "sampler": {"type": "UniformSampler", "num_frames": 2},
    "resolution": {"type": "FixedResolution", "size": (16, 16)},
}


def block(language: str) -> str:
    return PAGE.split(f"```{language}\n")[1].split("```")[0]


def test_five_lines_make_a_shard_that_the_config_reads(tmp_path, clip, monkeypatch):
    register_all_modules()
    monkeypatch.setenv("VIDEO", clip("h264.mp4"))
    monkeypatch.chdir(tmp_path)
    subprocess.run(["sh", "-ec", block("sh")], check=True)
    config: dict[str, Any] = Config.fromstring(block("python"), ".py").train_dataloader
    config |= {"batch_size": 2, "num_workers": 0, "collate_fn": {"type": "pseudo_collate"}}
    loader = Runner.build_dataloader(config, seed=0)
    captioned, asked = (loader.dataset[index] for index in range(2))
    shard = tmp_path / "train" / "00000.tar"
    assert [captioned["videos"], asked["videos"]] == [[member_path(shard, f"00000{i}.mp4")] for i in range(2)]
    assert captioned["conversations"][1]["content"] == "A frame counts itself."
    assert asked["conversations"][0]["content"] == "<video>\nWhat is it?"
    assert TRANSFORMS.build(LOAD).load(asked["videos"][0]).pixels[0].shape == (2, 3, 16, 16)
    batch = next(iter(loader))
    assert set(batch["id"]) == {"00000/000000", "00000/000001"}
