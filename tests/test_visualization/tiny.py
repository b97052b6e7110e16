"""A tiny model of random weights, and clips, for the tests of this folder."""

from typing import Any

import torch
from torch import Tensor

from elva.datasets import collate_samples
from elva.models.video_llm import VideoLLM
from elva.registry import MODELS, register_all_modules
from elva.structures import Clip, FramePlan, VideoQASample

VIDEO_ID = 7


class Words:
    """Stands in for a text tokenizer."""

    def convert_tokens_to_ids(self, token: str) -> int:
        return VIDEO_ID


def tiny_model(merger: dict[str, Any] | None = None, **parts: Any) -> VideoLLM:
    """Width 16, four layers, patches of 4 pixels, tubelets of 2 frames."""
    register_all_modules()
    torch.manual_seed(0)
    shape = {"vocab_size": 32, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 4}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    config = {
        "type": "VideoLLM",
        "tokenizer": {
            "type": "ElvaPatchEmbed",
            "patch_size": 4,
            "tubelet": 2,
            "embed_channels": 16,
            "num_heads": 2,
            "pos_embed": True,
        },
        "llm": {"type": "HFDecoder", "config": {"model_type": "qwen2", **shape, **heads}},
        "merger": merger,
    }
    model = MODELS.build(config | parts).eval()
    model.text_tokenizer = Words()
    return model


def clip_of(*groups: Tensor) -> Clip:
    """A clip of uint8 frames (T, 3, H, W); each group has a size of its own."""
    sizes = tuple(tuple(group.shape[2:]) for group in groups for _ in group)
    return Clip(FramePlan(tuple(i / 4 for i in range(len(sizes))), sizes), groups)


def random_clip(frames: int = 8, size: tuple[int, int] = (8, 12), seed: int = 0) -> Clip:
    """Frames of noise."""
    random = torch.Generator().manual_seed(seed)
    return clip_of(torch.randint(256, (frames, 3, *size), generator=random, dtype=torch.uint8))


def sample_of(clip: Clip, **fields: Any) -> dict[str, Any]:
    """What a data set would return: a clip and a question of three tokens."""
    inputs = {"clips": [clip], "input_ids": torch.tensor([1, VIDEO_ID, 2, 3]), "labels": None}
    return {"inputs": inputs, "data_samples": VideoQASample(**{"id": "0", "plans": (clip.plan,)} | fields)}


def batch_of(model: VideoLLM, *clips: Clip) -> dict[str, Any]:
    """Inputs of the model."""
    inputs: dict[str, Any] = model.data_preprocessor(collate_samples([sample_of(clip) for clip in clips]))["inputs"]
    return inputs
