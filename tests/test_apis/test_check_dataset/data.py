"""Annotations of rendered clips, and a config that reads them."""

import json
from pathlib import Path
from typing import Any

from mmengine.config import Config

LOAD = {
    "type": "LoadVideo",
    "reader": {"type": "PyAVReader", "timeout": 10},
    "sampler": {"type": "UniformSampler", "num_frames": 4},
    "resolution": {"type": "FixedResolution", "size": (48, 48), "patch_size": 12},
}
MODEL = {
    "type": "VideoLLM",
    "tokenizer": {"type": "ElvaPatchEmbed", "patch_size": 12, "tubelet": 2, "embed_channels": 16, "num_heads": 2},
    "llm": {"type": "HFDecoder"},
}


def row(
    name: str, video: Any = "h264.mp4", question: str = "<video>\nWhat?", answer: str = "This.", **more: Any
) -> dict:
    """An annotation in LLaVA's form."""
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return {"id": name, "video": video, "conversations": turns, **more}


def write_rows(path: Path, rows: list[Any]) -> str:
    """Write rows as lines of JSON; texts are lines as they are."""
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return str(path)


def dataset(ann_file: str, root: Path, llm: str, load: dict | None = None, **tokenize: Any) -> dict[str, Any]:
    """Config of a data set."""
    text = {"type": "TokenizeConversation", "path": llm, **tokenize}
    pipeline = [load or LOAD, text, {"type": "PackSample"}]
    return {"type": "VideoTextDataset", "ann_file": ann_file, "data_root": str(root), "pipeline": pipeline}


def config(data: dict[str, Any], llm: str, **model: Any) -> Config:
    """Config of a training on it."""
    loader = {"batch_size": 2, "num_workers": 0, "dataset": data}
    return Config({"model": {**MODEL, "llm": {"type": "HFDecoder", "path": llm}, **model}, "train_dataloader": loader})
