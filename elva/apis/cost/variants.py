"""What a config's means of saving save, one after another: reducers, merger, hybrid resolution."""

from typing import Any

from mmengine.config import Config

from elva.registry import TRANSFORMS
from elva.structures import VideoMeta

from .model import CostModel, SampleCost
from .sample import NOMINAL_CLIP, SampleShape, load_video, plan_of

QUESTION = 32
"""Text ids of a short question in a chat template."""


def set_frames(cfg: Config, frames: int | None = None, size: tuple[int, int] | None = None) -> dict[str, Any]:
    """Let ``cfg`` read so many frames, of such a size; returns the changed config of ``LoadVideo``.

    Args:
        cfg: Changed in place.
        frames: Spread evenly. Default: the config's own sampler stays.
        size: Height and width in pixels of the full-size frames. Default: the config's own.

    Raises:
        ValueError: If the config loads no video, or the size does not fit its patches.
    """
    load = load_video(cfg)
    if frames is not None:
        load["sampler"] = {"type": "UniformSampler", "num_frames": frames}
    if size is not None:
        resolution = load["resolution"]
        holder, key = (resolution, "base") if "base" in resolution else (load, "resolution")
        patch = holder[key].get("patch_size", 16)
        holder[key] = {"type": "FixedResolution", "size": size, "patch_size": patch}
    TRANSFORMS.build(load)  # what is wrong with it is said now
    return load


def parse_size(text: str) -> tuple[int, int]:
    """``'48x64'`` (height x width) as (48, 64).

    Raises:
        ValueError: If it is something else.
    """
    height, _, width = text.partition("x")
    if not (height.isdigit() and width.isdigit()):
        raise ValueError(f"size '{text}': give height x width in pixels, such as 48x64")
    return int(height), int(width)


def variants(
    cfg: Config, clip: VideoMeta = NOMINAL_CLIP, text: int = QUESTION, cost: CostModel | None = None
) -> dict[str, SampleCost]:
    """The prefill of an answer about one clip, with ever more of the config's means of saving.

    Args:
        cfg: A config that loads video.
        clip: The clip's metadata. Default: 60 s of 640 x 360.
        text: Text ids, one for the clip among them.
        cost: The config's cost model, if there is one already.

    Returns:
        By name: ``'plain'`` (all frames at full size, every token in every layer), then with each that the config has
        of ``'+ reducers'``, ``'+ merger'`` and ``'+ hybrid resolution'``; the last is the config as it is.
    """
    load, cost = load_video(cfg), cost or CostModel(cfg)
    own = SampleShape((plan_of(TRANSFORMS.build(load), clip),), text)
    full = SampleShape((plan_of(TRANSFORMS.build(_at_full_size(load)), clip),), text)
    reducers, merger = bool(len(cost.model.reducers)), cost.model.merger is not None
    found = {"plain": cost.of(full, merged=False, reduced=False)}
    if reducers:
        found["+ reducers"] = cost.of(full, merged=False)
    if merger:
        found["+ merger"] = cost.of(full)
    if own != full:
        found["+ hybrid resolution"] = cost.of(own)
    return found


def _at_full_size(load: dict[str, Any]) -> dict[str, Any]:
    """``HybridResolution`` exchanged for what gives its full size."""
    resolution = load["resolution"]
    return {**load, "resolution": resolution["base"]} if "base" in resolution else load
