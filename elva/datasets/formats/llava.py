"""LLaVA's own format, which LLaVA-Video, Video-LLaVA, VideoLLaMA3 and ShareGPT4Video write as well."""

from collections.abc import Mapping
from typing import Any

from elva.registry import SAMPLE_FORMATS

from .base import SampleFormat


@SAMPLE_FORMATS.register_module()
class LLaVAFormat(SampleFormat):
    """``{"id", "video": "a.mp4", "conversations": [{"from": "human", "value": "<video>..."}, {"from": "gpt", ...}]}``.

    ``video`` may be a list (VideoLLaMA3), and the tag may be ``<image>`` although a video is named (LLaVA-Video).
    """

    def fits(self, row: Mapping[str, Any]) -> bool:
        return "conversations" in row

    def convert(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return dict(row)
