"""What the experiments vary: mergers, frames and frame sizes of a config."""

import inspect
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from elva.registry import MERGERS

Size = tuple[int, int]


def merger_config(name: str, cfg: Config, ratio: float | None = None) -> dict[str, Any]:
    """The merger ``name`` at the layers of the config's own, with its other settings if it is the same.

    Args:
        name: In ``MERGERS``.
        cfg: With ``model.merger``, or none.
        ratio: Share of the visual rows taken away. Default: as configured.

    Raises:
        ValueError: If the merger has no ``ratio`` and one is given.
    """
    own = dict(cfg.model.get("merger") or {})
    takes = inspect.signature(MERGERS.get(name)).parameters
    layers = tuple(own.get("layers", ()))
    settings = own if own.get("type") == name else {}
    if layers and name != own.get("type"):
        settings |= {"layers": layers} if "layers" in takes else {}
        settings |= {"layer": layers[0]} if "layer" in takes else {}
    if ratio is not None:
        if "ratio" not in takes:
            able = [n for n in MERGERS.names() if "ratio" in inspect.signature(MERGERS.get(n)).parameters]
            raise ValueError(f"{name} has no ratio to sweep. These have: {', '.join(able)}.")
        settings["ratio"] = ratio
    return {**settings, "type": name}


def set_frames(cfg: Config, frames: int | None = None, size: Size | None = None) -> Config:
    """Let the test data be read with so many frames of this size; ``cfg`` is changed, and returned.

    Args:
        cfg: Its test pipeline has a ``LoadVideo``.
        frames: Default: as configured.
        size: (height, width) in pixels, multiples of the patch. Default: as configured.

    Raises:
        ValueError: If the sampler counts no frames, or there is no ``LoadVideo``.
    """
    loaders = list(video_loaders(cfg.test_dataloader.dataset))
    if not loaders:
        raise ValueError("test_dataloader has no LoadVideo in its pipeline: frames and sizes are set there.")
    for loader in loaders:
        if frames is not None:
            if "num_frames" not in loader["sampler"]:
                raise ValueError(f"{loader['sampler']['type']} takes no num_frames: choose a sampler that does.")
            loader["sampler"]["num_frames"] = frames
        if size is not None:
            patch = cfg.model.tokenizer.patch_size
            loader["resolution"] = {"type": "FixedResolution", "size": size, "patch_size": patch}
    return cfg


def video_loaders(node: Any) -> Iterator[dict[str, Any]]:
    """Every ``LoadVideo`` under ``node``, a part of a config."""
    if isinstance(node, dict):
        if node.get("type") == "LoadVideo":
            yield node
        for value in node.values():
            yield from video_loaders(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from video_loaders(value)


def parse_size(text: str) -> Size:
    """``'48x64'`` (height x width) as (48, 64).

    Raises:
        ValueError: If it is something else.
    """
    height, _, width = text.partition("x")
    if not (height.isdigit() and width.isdigit()):
        raise ValueError(f"size '{text}': give height x width in pixels, such as 48x64")
    return int(height), int(width)
