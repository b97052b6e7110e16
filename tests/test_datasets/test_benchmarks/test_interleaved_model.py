"""A video in pieces with text between them, from the files to a model's answer."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from elva.datasets import collate_samples
from elva.registry import DATASETS, MODELS
from elva.utils.tiny_llm import TinyLLMSettings, make_tiny_llm
from tests.test_datasets.test_benchmarks.layouts_a import write_long_video_bench

SIDE = 8
"""Of a patch."""


@pytest.fixture
def llm(tmp_path: Path) -> str:
    texts = tmp_path / "texts.json"
    texts.write_text(json.dumps([{"id": "a", "conversations": [{"from": "human", "value": "What?"}]}]))
    make_tiny_llm(tmp_path / "llm", [texts], TinyLLMSettings(hidden=32, layers=2, heads=4, intermediate=48))
    return str(tmp_path / "llm")


def _rows(size: tuple[int, int]) -> int:
    """A frame's patches, a token at the end of each line and one at the end of the frame."""
    lines, columns = size[0] // SIDE, size[1] // SIDE
    return lines * columns + lines + 1


def test_a_model_sees_each_piece_where_its_tag_stands(llm: str, tmp_path: Path, clip: Callable[[str], str]) -> None:
    write_long_video_bench(tmp_path, clip("h264.mp4"))
    load = {
        "type": "LoadVideo",
        "reader": {"type": "PyAVReader"},
        "sampler": {"type": "UniformSampler", "num_frames": 6},
        "resolution": {"type": "HybridResolution", "base": {"type": "NativeResolution", "patch_size": SIDE}},
    }
    pipeline = [load, {"type": "TokenizeConversation", "path": llm, "mode": "test"}, {"type": "PackSample"}]
    config = {"type": "LongVideoBench", "data_root": str(tmp_path), "subtitles": "interleaved", "pipeline": pipeline}
    samples = [DATASETS.build(config)[index] for index in range(2)]
    tokenizer = {"type": "ElvaPatchEmbed", "patch_size": SIDE, "embed_channels": 32, "num_heads": 2, "tubelet": 1}
    model = MODELS.build(
        {
            "type": "VideoLLM",
            "data_preprocessor": {"type": "VideoDataPreprocessor"},
            "tokenizer": tokenizer,
            "llm": {"type": "HFDecoder", "path": llm},
            "generation": {"max_new_tokens": 2},
        }
    ).eval()
    for sample, answered in zip(samples, model.test_step(collate_samples(samples)), strict=True):
        inputs = sample["inputs"]
        assert len(inputs["clips"]) == 3 and len({size for plan in answered.plans for size in plan.sizes}) == 2
        text = inputs["input_ids"].numel() - len(inputs["clips"])  # one id stands for each piece
        visual = sum(_rows(size) for plan in answered.plans for size in plan.sizes)
        assert answered.stats["tokens_per_layer"][0] == text + visual and isinstance(answered.prediction, str)
