"""From the frames of a sample to the messages of a chat request. Legend: T frames, 3 channels, H rows, W columns."""

import base64
import io
from collections.abc import Sequence
from typing import Any

from PIL import Image
from torch import Tensor

from elva.datasets.transforms import LoadVideo
from elva.structures import Clip

from .protocol import Protocol
from .samples import Sample


class MessageWriter:
    """Reads a sample's frames and writes the request; called from several threads at once.

    Args:
        protocol: What is asked.

    Raises:
        ValueError: If there is no such reader.
    """

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._loader = LoadVideo(
            reader=dict(type=protocol.reader),
            sampler=dict(type="UniformSampler", num_frames=protocol.frames),
            resolution=dict(type="LongestSide", max_side=protocol.max_side),
        )

    def write(self, sample: Sample) -> list[dict[str, Any]]:
        """The messages of a chat request about ``sample``: its frames as JPEG data URLs, then the prompt.

        Raises:
            VideoReadError: If a video cannot be read.
        """
        parts = zip(sample.videos, sample.bounds, strict=True)
        clips = [self._loader.load(path, bounds=bounds) for path, bounds in parts]
        content: list[dict[str, Any]] = []
        for number, clip in enumerate(clips, 1):
            if len(clips) > 1:
                content.append({"type": "text", "text": f"File {number}:"})
            content += [{"type": "image_url", "image_url": {"url": url}} for url in self._urls(clip)]
        content.append({"type": "text", "text": fill(self._protocol.prompt, clips, sample.raw_caption)})
        system = [{"role": "system", "content": self._protocol.system}] if self._protocol.system else []
        return [*system, {"role": "user", "content": content}]

    def _urls(self, clip: Clip) -> list[str]:
        (frames_T3HW,) = clip.pixels  # LongestSide gives all frames one size
        return [data_url(frame_3HW, self._protocol.quality) for frame_3HW in frames_T3HW]


def data_url(frame_3HW: Tensor, quality: int) -> str:
    """A uint8 frame as ``data:image/jpeg;base64,...``; ``quality`` is JPEG's, 1 to 95."""
    buffer = io.BytesIO()
    Image.fromarray(frame_3HW.permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def fill(prompt: str, clips: Sequence[Clip], raw_caption: str) -> str:
    """``prompt`` with its ``{frames}``, ``{seconds}`` and ``{raw_caption}`` filled in; other braces stay."""
    values = {
        "{frames}": str(sum(len(clip.plan) for clip in clips)),
        "{seconds}": "; ".join(", ".join(f"{second:.1f}" for second in clip.plan.seconds) for clip in clips),
        "{raw_caption}": raw_caption,  # last: what it says is not filled in
    }
    for name, value in values.items():
        prompt = prompt.replace(name, value)
    return prompt
