"""Finds the format of each row by its keys."""

from collections.abc import Mapping
from typing import Any

from elva.registry import SAMPLE_FORMATS

from .base import SampleFormat


@SAMPLE_FORMATS.register_module()
class AutoFormat(SampleFormat):
    """Reads each row in the first format that fits its keys.

    Args:
        formats: Names of the formats to try, in this order. Default: LLaVA's, captions.
    """

    def __init__(self, formats: tuple[str, ...] = ("LLaVAFormat", "CaptionFormat")) -> None:
        self.formats: dict[str, SampleFormat] = {name: SAMPLE_FORMATS.build(dict(type=name)) for name in formats}

    def fits(self, row: Mapping[str, Any]) -> bool:
        return any(candidate.fits(row) for candidate in self.formats.values())

    def convert(self, row: Mapping[str, Any]) -> dict[str, Any]:
        for candidate in self.formats.values():
            if candidate.fits(row):
                return candidate.convert(row)
        raise ValueError(
            f"the keys of this row ({', '.join(map(str, row))}) fit none of the formats {', '.join(self.formats)}; "
            "name the right one: format=dict(type=...)"
        )
