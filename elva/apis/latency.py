"""How fast a config's model answers: time to first token, decoding, memory, throughput.

Weights are random where none are given: latency does not depend on them. Time starts when the frames are in memory, as
decoded (uint8), and on the way is everything that the model does to them.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from elva.models.llms import KVCache, Sampling, assemble, generate
from elva.models.video_llm import VideoLLM
from elva.registry import MODELS
from elva.structures import Clip, FramePlan, SequenceState
from elva.utils.peak_allocation import peak_allocated

_VIDEO = 0
"""The id that stands for the video in a made-up prompt."""


@dataclass(frozen=True)
class Prompt:
    """What is asked: a clip of noise, and so many text ids.

    Attributes:
        plan: Of the clip, with sizes.
        text: Text ids around it.
    """

    plan: FramePlan
    text: int = 64

    def batch(self, samples: int, clip: Clip | None = None) -> dict[str, Any]:
        """A collated batch of the same prompt, about a clip of noise unless one is given."""
        random = torch.Generator().manual_seed(0)
        if clip is None:
            clip = Clip(self.plan, tuple(_noise(len(at), size, random) for size, at in self.plan.groups().items()))
        ids = torch.cat((torch.tensor([_VIDEO]), torch.randint(1, 100, (self.text,), generator=random)))
        inputs = {"clips": [[clip]] * samples, "input_ids": [ids] * samples, "labels": None}
        return {"inputs": inputs, "data_samples": []}


class LatencyProbe:
    """A config's model, ready to be timed.

    Args:
        cfg: With ``model``, a ``VideoLLM``.
        device: Default: ``'cpu'``.
        dtype: Of the weights, ``'float32'`` or ``'bfloat16'``. Default: ``'float32'``.

    Raises:
        ValueError: If the language model's weights are not there, and its shape (``model.llm.config``) is not given.
    """

    def __init__(self, cfg: Config, device: str = "cpu", dtype: str = "float32") -> None:
        self.device = torch.device(device)
        with self.device:
            self.model: VideoLLM = MODELS.build(weightless(cfg)).to(getattr(torch, dtype)).eval()
        self.weights = sum(p.numel() * p.element_size() for p in self.model.parameters())

    @torch.inference_mode()
    def first_token(self, prompt: Prompt, samples: int = 1, clip: Clip | None = None) -> float:
        """Seconds from decoded frames to the first token of every sample."""
        batch = prompt.batch(samples, clip)
        start = self._now()
        self._generate(batch, tokens=1)
        return self._now() - start

    @torch.inference_mode()
    def decoding(self, prompt: Prompt, tokens: int) -> float:
        """Tokens a second after the first one."""
        state = self._assemble(prompt.batch(1))
        cache = KVCache.empty(self.model.llm.depth)
        generate(self.model.llm, state, (), Sampling(max_new_tokens=1), self.model.merger, cache)
        start = self._now()
        generate(self.model.llm, self._one_more(cache), (), Sampling(max_new_tokens=tokens), self.model.merger, cache)
        return tokens / (self._now() - start)

    @torch.inference_mode()
    def throughput(self, prompt: Prompt, samples: int, tokens: int) -> float:
        """Answers of ``tokens`` tokens a second, in batches of ``samples``."""
        batch = prompt.batch(samples)
        start = self._now()
        self._generate(batch, tokens)
        return samples / (self._now() - start)

    @torch.inference_mode()
    def peak_memory(self, prompt: Prompt) -> float:
        """Bytes of the weights and of what one answer needs beside them."""
        batch = prompt.batch(1)
        return self.weights + peak_allocated(lambda: self._generate(batch, tokens=1), self.device)

    def _assemble(self, batch: dict[str, Any]) -> SequenceState:
        inputs = self.model.data_preprocessor(batch, training=False)["inputs"]
        weight = next(self.model.parameters())
        inputs["clips"] = [clip.map(lambda pixels: pixels.to(weight)) for clip in inputs["clips"]]
        return self.model.assemble_ids(inputs, _VIDEO)[0].state

    def _one_more(self, cache: KVCache) -> SequenceState:
        """One more row of text, behind what is cached."""
        id_11 = torch.ones(1, 1, dtype=torch.long, device=self.device)
        return assemble(self.model.llm.embed, id_11, id_11.bool(), None, _VIDEO, start_B=cache.next_pos).state

    def _generate(self, batch: dict[str, Any], tokens: int) -> None:
        state = self._assemble(batch)
        generate(self.model.llm, state, (), Sampling(max_new_tokens=tokens), self.model.merger)

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def _noise(frames: int, size: tuple[int, int], random: torch.Generator) -> Tensor:
    return torch.randint(256, (frames, 3, *size), generator=random, dtype=torch.uint8)


def weightless(cfg: Config) -> dict[str, Any]:
    """The model of a config without what only training needs, and with random weights where there are none.

    Raises:
        ValueError: If a part has neither weights nor a shape.
    """
    model = {**cfg.model.to_dict(), "text_tokenizer": None, "teacher": None, "supervisors": (), "teacher_cache": None}
    for name in ("llm", "tokenizer"):
        part = dict(model[name])
        path = part.get("path")
        if path and not (Path(path) / "config.json").is_file():
            if not part.get("config"):
                raise ValueError(
                    f"model.{name}.path='{path}' is no directory with a config.json, and model.{name}.config, the "
                    "shape for random weights, is not given."
                )
            part["path"] = None
        model[name] = part
    return model
