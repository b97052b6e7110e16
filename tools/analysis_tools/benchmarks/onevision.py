"""Time to first token against an encoder-based model: transformers' own LLaVA-OneVision of 0.5 B.

Legend: T frames, H W pixels.
"""

from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from torch import Tensor
from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration

from elva.apis.cost.variants import set_frames
from elva.apis.latency import LatencyProbe, Prompt
from elva.registry import FRAME_SAMPLERS, RESOLUTION_SCHEDULERS
from elva.structures import Clip, VideoMeta

from .result import Result
from .timing import interleaved, median_ratio

_CONFIGS = Path(__file__).resolve().parents[3] / "configs"
FAST = _CONFIGS / "elva_7b_stage3_fast.py"
ONEVISION = _CONFIGS / "_base_" / "models" / "encoder_llava_onevision_0_5b.py"
_VIDEO = 151647


def against_onevision(
    frames: int = 16,
    text: int = 64,
    rounds: int = 2,
    llm: dict[str, Any] | None = None,
    vision: dict[str, Any] | None = None,
    dtype: str = "bfloat16",
) -> list[Result]:
    """ELVA's fast configuration on Qwen2-0.5B over LLaVA-OneVision on the same: random weights, the same frames.

    Both start from decoded frames of 360 x 640 in memory: resizing and normalising count. LLaVA-OneVision is run as
    transformers has it (SDPA attention, logits of the last row alone), which favours it over its defaults.

    Args:
        frames: Read by both.
        text: Ids of the prompt.
        rounds: Turns of each.
        llm: Shape of both language models. Default: as published, see ``configs/_base_/models``.
        vision: Shape of the encoder. Default: as published.
        dtype: Of both.
    """
    published = Config.fromfile(ONEVISION).model
    llm, vision = llm or published.llm.config.to_dict(), vision or published.tokenizer.config.to_dict()
    random = torch.Generator().manual_seed(0)
    video_THW = torch.randint(256, (frames, 3, 360, 640), generator=random, dtype=torch.uint8)
    theirs = OneVision(llm, vision, frames, text, dtype)
    ours = Ours(llm, frames, text, dtype)
    seconds = interleaved({"elva": lambda: ours(video_THW), "onevision": lambda: theirs(video_THW)}, rounds, warm_up=1)
    details = {
        "seconds elva": median(seconds["elva"]),
        "seconds onevision": median(seconds["onevision"]),
        "visual tokens elva": ours.tokens,
        "visual tokens onevision": theirs.tokens,
    }
    ratio = median_ratio(seconds["elva"], seconds["onevision"])
    return [Result(f"TTFT of ELVA over LLaVA-OneVision, 0.5 B, {frames} frames", ratio, 0.08, False, details)]


class OneVision:
    """Transformers' model, with random weights."""

    def __init__(self, llm: dict[str, Any], vision: dict[str, Any], frames: int, text: int, dtype: str) -> None:
        config = LlavaOnevisionConfig(
            text_config=dict(llm), vision_config=dict(vision), video_token_index=_VIDEO, image_token_index=_VIDEO - 1
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.model = LlavaOnevisionForConditionalGeneration(config).to(getattr(torch, dtype)).eval()
        self.side = int(vision["image_size"])
        grid = self.side // int(vision["patch_size"])
        self.tokens = frames * (-(-grid // 2)) ** 2 + 1  # pooled by two, and one newline for the video
        ids = torch.randint(100, 1000, (text,))
        self.ids = torch.cat((torch.full((self.tokens,), _VIDEO), ids))[None]
        self.dtype = getattr(torch, dtype)

    @torch.inference_mode()
    def __call__(self, video_THW: Tensor) -> Tensor:
        """The first token."""
        pixels = resize(video_THW, (self.side, self.side)) / 127.5 - 1
        out = self.model(
            input_ids=self.ids, pixel_values_videos=pixels[None].to(self.dtype), logits_to_keep=1, use_cache=True
        )
        first: Tensor = out.logits[:, -1].argmax(-1)
        return first


class Ours:
    """ELVA's fast configuration on the same language model."""

    def __init__(self, llm: dict[str, Any], frames: int, text: int, dtype: str) -> None:
        cfg = Config.fromfile(FAST)
        cfg.model.llm.path, cfg.model.llm.config = None, dict(llm)
        loader = set_frames(cfg, frames)
        meta = VideoMeta("noise", duration=60.0, fps=30.0, height=360, width=640)
        plan = RESOLUTION_SCHEDULERS.build(loader["resolution"]).assign(
            FRAME_SAMPLERS.build(loader["sampler"]).plan(meta), meta
        )
        self.probe = LatencyProbe(cfg, dtype=dtype)
        self.prompt = Prompt(plan, text)
        self.tokens = self.probe.model.tokenizer.count(plan)

    def __call__(self, video_THW: Tensor) -> float:
        """Seconds after resizing; the caller measures the whole."""
        plan = self.prompt.plan
        groups = [resize(video_THW[at], size).round().byte() for size, at in plan.groups().items()]
        return self.probe.first_token(self.prompt, clip=Clip(plan, tuple(groups)))


def resize(frames_THW: Tensor, size: tuple[int, int]) -> Tensor:
    """(T, 3, H, W) float32 in [0, 255]."""
    return F.interpolate(frames_THW.float(), size, mode="bicubic", antialias=True).clamp(0, 255)
