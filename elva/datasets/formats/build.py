"""Makes the format that a config names."""

from collections.abc import Mapping
from typing import Any

from elva.registry import SAMPLE_FORMATS

from .base import SampleFormat


def build_format(given: str | Mapping[str, Any] | None = None) -> SampleFormat:
    """Return a format of annotation rows.

    Args:
        given: Its name, or its config. Default: ``AutoFormat``, which goes by each row's keys.

    Raises:
        ValueError: If it is neither, or there is no such format.
    """
    config = {"type": given} if isinstance(given, str) else given or {"type": "AutoFormat"}
    if not isinstance(config, Mapping) or "type" not in config:
        raise ValueError(f"format={config!r} does not say which: expected a name, or dict(type=..., ...)")
    own: SampleFormat = SAMPLE_FORMATS.build(dict(config))
    return own
