"""The cost of a real video through a trained model: for mergers and reducers that decide by content."""

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from elva.datasets.collate import collate_samples
from elva.models.llms import Trace
from elva.registry import TRANSFORMS

from ..load_model import load_model
from .model import CostModel, SampleCost
from .sample import SampleShape, load_video


@torch.no_grad()
def measure(cfg: Config, video: str | Path, checkpoint: str | Path, question: str) -> SampleCost:
    """The prefill of an answer about a video, its rows counted in the model itself.

    Args:
        cfg: The config of the checkpoint; its text tokenizer and weights must be there.
        video: A video file.
        checkpoint: Of :class:`VideoLLM`.
        question: To ask about it.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If the checkpoint is another model's, or the video cannot be read.
    """
    model = load_model(cfg, checkpoint)
    inputs = model.data_preprocessor(collate_samples([sample_of(cfg, model, video, question)]))["inputs"]
    assembly, tokens = model.assemble(inputs)
    trace = Trace()
    model.llm(assembly.state, model.merger, trace=trace)
    plans = tuple(clip.plan for clip in inputs["clips"])
    cost, rows = CostModel(cfg), tuple(int(n) for n in trace.tokens_per_layer())
    shape = SampleShape(plans, inputs["ids"].shape[1])
    made = sum(model.tokenizer.count(plan) for plan in plans)
    left = made if tokens is None else int(tokens.valid.sum())
    return SampleCost(made, left, rows, cost.flops(shape, rows))


def sample_of(cfg: Config, model: Any, video: str | Path, question: str) -> dict[str, Any]:
    """A question about a video, as the config's pipeline would pack it."""
    steps = [
        load_video(cfg),
        dict(type="TokenizeConversation", path=model.text_tokenizer_path, template="chat", mode="test"),
        dict(type="PackSample"),
    ]
    turns = [{"role": "user", "content": f"<video>\n{question}"}, {"role": "assistant", "content": ""}]
    sample: dict[str, Any] = {"id": "0", "videos": [str(video)], "conversations": turns, "meta": {}}
    for step in steps:
        sample = TRANSFORMS.build(step).transform(sample)
    return sample
