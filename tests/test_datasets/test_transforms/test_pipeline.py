"""From rendered files to a batch, with the real reader."""

import json
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from elva.datasets import VideoTextDataset, collate_samples
from elva.datasets.moving_shapes import make_moving_shapes
from elva.utils.tiny_llm import TinyLLMSettings, make_tiny_llm


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    make_moving_shapes(root, {"train": 6, "test": 5})
    texts = sorted(root.glob("train_*.json"))
    make_tiny_llm(root / "llm", texts, TinyLLMSettings(hidden=8, layers=1, heads=2, intermediate=8))
    return root


def _dataset(root: Path, name: str, mode: str, template: str = "chat", blank: bool = False) -> VideoTextDataset:
    load = {
        "type": "LoadVideo",
        "reader": {"type": "PyAVReader"},
        "sampler": {"type": "UniformSampler", "num_frames": 4},
        "resolution": {"type": "FixedResolution", "size": (32, 64)},
    }
    tokenize = {"type": "TokenizeConversation", "path": str(root / "llm"), "template": template, "mode": mode}
    pipeline = [load, *([{"type": "BlankFrames"}] if blank else []), tokenize, {"type": "PackSample"}]
    return VideoTextDataset(str(root / name), str(root), pipeline, mode)


def test_training_questions_make_a_batch(root: Path) -> None:
    loader = DataLoader(_dataset(root, "train_qa.json", "train"), 3, collate_fn=collate_samples, num_workers=1)
    batch = next(iter(loader))
    for clips, ids, labels, sample in zip(*batch["inputs"].values(), batch["data_samples"], strict=True):
        assert clips[0].pixels[0].shape == (4, 3, 32, 64) and clips[0].pixels[0].dtype == torch.uint8
        assert ids.shape == labels.shape and ids.dtype == labels.dtype == torch.long and (labels >= 0).any()
        assert sample.plans[0].sizes == ((32, 64),) * 4 and sample.videos[0].endswith(".mp4")


def test_images_are_videos_of_one_frame(root: Path) -> None:
    sample = _dataset(root, "train_image_caption.json", "train", "plain")[0]
    assert sample["inputs"]["clips"][0].pixels[0].shape[2:] == (32, 64)
    assert len(set(sample["data_samples"].plans[0].seconds)) == 1


def test_blank_frames_keep_the_shape(root: Path) -> None:
    seen = _dataset(root, "test_qa.json", "test")[0]["inputs"]
    blank = _dataset(root, "test_qa.json", "test", blank=True)[0]["inputs"]
    assert torch.equal(seen["input_ids"], blank["input_ids"]) and seen["labels"] is None
    assert seen["clips"][0].pixels[0].shape == blank["clips"][0].pixels[0].shape
    assert blank["clips"][0].pixels[0].unique().tolist() == [128]


def test_a_bad_file_is_named_and_answered_blank_in_testing(root: Path, tmp_path: Path) -> None:
    samples = json.loads((root / "test_qa.json").read_text())
    (tmp_path / "empty.mp4").touch()
    samples[1]["video"] = str(tmp_path / "empty.mp4")
    samples[2]["conversations"][0]["value"] = "no tag"
    (root / "broken.json").write_text(json.dumps(samples))
    dataset = _dataset(root, "broken.json", "test")
    batch = collate_samples([dataset[i] for i in range(4)])
    errors = [sample.stats.get("error") for sample in batch["data_samples"]]
    assert errors[0] is None and errors[3] is None
    assert "empty.mp4" in errors[1] and "0 <image>/<video> tags" in errors[2]
    assert [len(clips) for clips in batch["inputs"]["clips"]] == [1, 1, 1, 1]
    assert batch["inputs"]["clips"][1][0].pixels[0].shape == (1, 3, 32, 64)
    assert batch["data_samples"][1].answer == samples[1]["conversations"][1]["value"]
