"""Loading a vision transformer of Hugging Face, of images or of videos, and cutting it to what is used."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.utils import logging

_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

_IN_LLAVA = {r"^(model\.)?vision_tower\.(vision_model\.)?": ""}
"""The names of a LLaVA checkpoint's vision tower, as the tower itself has them."""


class Owner(NamedTuple):
    """Whose tower it is, for messages.

    Attributes:
        name: The component.
        key: The config key of its ``path``.
        example: A published checkpoint.
        otherwise: What to do without weights.
    """

    name: str
    key: str
    example: str
    otherwise: str

    def missing(self, path: str) -> str:
        """What to say where there is no checkpoint at ``path``."""
        return (
            f"{self.name}: no checkpoint at '{path}' (key 'path' of {self.key}). Download one, for instance with "
            f"'hf download {self.example} --local-dir {path}', or {self.otherwise}."
        )


def read_config(owner: Owner, path: str | None, shape: dict[str, Any] | None) -> PretrainedConfig:
    """The tower's config: of the checkpoint, or from ``shape`` where there is no path, or on the meta device no file.

    Raises:
        FileNotFoundError: If there is no checkpoint at ``path``.
        ValueError: If there is neither a path nor a shape.
    """
    meta = torch.get_default_device().type == "meta"
    if path is None or (shape is not None and meta and not (Path(path) / "config.json").is_file()):
        if shape is None:
            raise ValueError(f"{owner.name} needs 'path' (a checkpoint) or 'config' (a shape) in {owner.key}.")
        full = AutoConfig.for_model(**shape)
    else:
        if not (Path(path) / "config.json").is_file() and (Path(path).is_absolute() or path.startswith(".")):
            raise FileNotFoundError(owner.missing(path))
        try:
            full = AutoConfig.from_pretrained(path)
        except OSError as error:
            raise FileNotFoundError(owner.missing(path)) from error
    return getattr(full, "vision_config", full)


def load_tower(owner: Owner, path: str | None, shape: PretrainedConfig, dtype: str) -> PreTrainedModel:
    """The transformer: from files, of random weights (without ``path``), or of none on the meta device.

    Raises:
        FileNotFoundError: If there are no weights at ``path``.
        ValueError: If they lack some of the tower's.
    """
    precision = getattr(torch, dtype)
    if hasattr(shape, "vision_use_head"):
        shape.vision_use_head = False  # SigLIP's pooling head
    if path is None or torch.get_default_device().type == "meta":
        return AutoModel.from_config(shape, dtype=precision)
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # it would list every weight of the other parts, which are left out on purpose
    try:
        model, info = AutoModel.from_pretrained(
            path, config=shape, dtype=precision, output_loading_info=True, key_mapping=_IN_LLAVA
        )
    except OSError as error:  # a config, but no weights beside it
        raise FileNotFoundError(owner.missing(path)) from error
    finally:
        logging.set_verbosity(verbosity)
    # Pooling heads, predictors and the mask token are not used.
    unused = ("head.", "pooler.", "predictor.")
    missing = [key for key in info["missing_keys"] if not key.startswith(unused) and "mask_token" not in key]
    if missing:
        raise ValueError(f"{owner.name}: {path} lacks {len(missing)} weights of its vision tower, e.g. {missing[0]}.")
    return model


def keep_layers(owner: Owner, model: nn.Module, layer: int, final_norm: bool) -> None:
    """Cut a transformer so that its ``last_hidden_state`` is hidden state ``layer``, normed only if asked for.

    Raises:
        ValueError: If it has no such layer.
    """
    blocks = max((m for m in model.modules() if isinstance(m, nn.ModuleList)), key=len)
    keep = layer if layer >= 0 else len(blocks) + 1 + layer
    if not 0 <= keep <= len(blocks):
        raise ValueError(f"{owner.name}: layer={layer}, but the tower has {len(blocks)} layers.")
    del blocks[keep:]
    norm = next(name for name in ("post_layernorm", "layernorm") if hasattr(model, name))
    if not final_norm:
        setattr(model, norm, nn.Identity())
    if getattr(model, "pooler", None) is not None:
        setattr(model, "pooler", None)  # noqa: B010 (that of ViT, of the class token; not a name that nn.Module knows)
    for name, parameter in model.named_parameters():
        if "mask_token" in name:
            parameter.requires_grad_(False)


def square_side(owner: Owner, shape: PretrainedConfig, key: str) -> int:
    """The one value of ``key`` (such as ``image_size``), which may be stored as a pair.

    Raises:
        ValueError: If it is not there, or height and width differ.
    """
    value = getattr(shape, key, None)
    sides = {value} if isinstance(value, int) else set(value or ())
    if len(sides) != 1:
        raise ValueError(
            f"{owner.name}: the checkpoint is a {shape.model_type} with {key}={value}; it takes vision transformers "
            f"with square images and patches."
        )
    return int(sides.pop())


def normalisation(path: str | None, model_type: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each colour that a checkpoint was trained with, for pixels from 0 to 1."""
    for name in ("preprocessor_config.json", "video_preprocessor_config.json"):
        file = Path(path) / name if path is not None else None
        if file is not None and file.is_file():
            stored = json.loads(file.read_text())
            if "image_mean" in stored and "image_std" in stored:
                return tuple(stored["image_mean"]), tuple(stored["image_std"])
    if model_type.endswith("clip_vision_model"):
        return _CLIP
    return _IMAGENET if any(name in model_type for name in ("dino", "videomae", "vjepa")) else _HALF
