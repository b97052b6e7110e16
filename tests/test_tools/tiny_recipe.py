"""The tiny recipe on a handful of clips, for tools that train and test."""

from pathlib import Path

import torch
from mmengine.config import Config

from elva.datasets.moving_shapes import make_moving_shapes
from elva.registry import MODELS
from elva.utils.tiny_llm import TinyLLMSettings, make_tiny_llm

ROOT = Path(__file__).parents[2]


def make_data(root: Path, clips: int = 4) -> None:
    """Render ``clips`` clips to train on and as many to test on, and write a random language model."""
    make_moving_shapes(root / "data", {"train": clips, "test": clips})
    texts = [root / "data" / f"train_{kind}.json" for kind in ("caption", "qa")]
    make_tiny_llm(root / "llm", texts, TinyLLMSettings(hidden=128, layers=4, heads=4, kv_heads=4, intermediate=32))


def stage(name: str, root: Path) -> str:
    """A stage of the tiny recipe on the data in ``root``, as a config file."""
    cfg = Config.fromfile(ROOT / "configs" / f"{name}.py")
    text = cfg.pretty_text.replace("work_dirs/demo/", f"{root}/")
    cfg = Config.fromstring(text, ".py")
    cfg.merge_from_dict({"train_dataloader.batch_size": 2, "train_dataloader.num_workers": 0})
    cfg.train_dataloader.persistent_workers = False
    if cfg.get("test_dataloader"):
        cfg.test_dataloader.update(batch_size=4, num_workers=0, persistent_workers=False)
    cfg.load_from = None
    cfg.dump(root / f"{name}.py")
    return str(root / f"{name}.py")


def random_checkpoint(config: str, path: Path, seed: int = 0, scale: float = 1.0) -> str:
    """A checkpoint of the config's model with random weights; with ``scale=3`` its answers depend on what is asked."""
    torch.manual_seed(seed)
    model = MODELS.build(Config.fromfile(config).model)
    state = {
        name: weight * scale if weight.ndim == 2 and "embed_tokens" not in name and "lm_head" not in name else weight
        for name, weight in model.state_dict().items()
    }
    torch.save({"state_dict": state}, path)
    return str(path)
