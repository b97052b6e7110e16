"""What the experiments vary."""

import inspect
from typing import Any

from mmengine.config import Config

from elva.registry import MERGERS


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
