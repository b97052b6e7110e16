"""A trained model, ready to be asked."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner.checkpoint import CheckpointLoader

from elva.engine.hooks.checkpoint_guard_hook import check_weights
from elva.models.video_llm import VideoLLM
from elva.registry import MODELS
from elva.utils import launch

_TRAINING = ("teacher", "teacher_cache", "supervisors")
"""Keys of a model's config that only its training needs."""


def load_model(
    config: str | Path | Config, checkpoint: str | Path | None = None, device: str | torch.device | None = None
) -> VideoLLM:
    """Return the model of a config with the weights of a checkpoint, in evaluation mode.

    What only guides its training, the teacher and the losses against it, is left out.

    Args:
        config: A config file, or a loaded config.
        checkpoint: A path, or an http(s) address; it is loaded with ``weights_only=True``. Default: none, for the
            weights that the parts load themselves (``model.llm.path``) and random ones for the rest.
        device: Default: the GPU if there is one.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If the config cannot be read, or the checkpoint is another model's or holds more than weights.
    """
    cfg = config if isinstance(config, Config) else launch.read_config(config)
    model: VideoLLM = MODELS.build({key: part for key, part in cfg.model.items() if key not in _TRAINING})
    if checkpoint is not None:
        loaded = CheckpointLoader.load_checkpoint(str(checkpoint), "cpu")
        model.load_state_dict(check_weights(model, loaded, str(checkpoint)), strict=False)
    return model.to(device or get_device()).eval()


def find_pretrained(folder: str | Path) -> tuple[Path, Path]:
    """Return the config and the newest checkpoint in a work dir of ``tools/train.py``, or a copy of one.

    Args:
        folder: It has one config (``*.py``); and a file ``last_checkpoint``, or a single checkpoint (``*.pth``).

    Raises:
        FileNotFoundError: If there is no such folder, or either is missing.
        ValueError: If it is not clear which config or which checkpoint is meant.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder} (the working directory is {Path.cwd()}).")
    named = launch.newest_checkpoint(folder)
    if named is None:
        return _only(folder, "*.py", "config"), _only(folder, "*.pth", "checkpoint")
    here = folder / Path(named).name  # of a copied folder, the checkpoint in the copy
    checkpoint = here if here.is_file() else Path(named)
    if not checkpoint.is_file():
        raise FileNotFoundError(f"{folder / 'last_checkpoint'} names {here.name}, which is not there.")
    return _only(folder, "*.py", "config"), checkpoint


def _only(folder: Path, pattern: str, what: str) -> Path:
    """The one file of ``folder`` that fits ``pattern``."""
    found = sorted(folder.glob(pattern))
    if not found:
        raise FileNotFoundError(f"{folder} has no {what} ({pattern}): is it the work dir of a training?")
    if len(found) > 1:
        names = ", ".join(path.name for path in found[:5])
        raise ValueError(f"{folder} has {len(found)} {what}s ({names}): give config=... and checkpoint=... by name.")
    return found[0]
