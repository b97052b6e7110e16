"""Any vision transformer of Hugging Face as a teacher: SigLIP, CLIP, DINOv2 and their like.

Legend: V videos, T frames, S side in pixels, h w the teacher's patches, P prefix tokens, D width of the teacher.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.utils import logging

from elva.registry import TEACHERS

from .base import Teacher
from .frames import resize_frames

_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@TEACHERS.register_module()
class HFVisionTeacher(Teacher):
    """A frozen vision transformer, read from a directory in the Hugging Face layout or by its hub name.

    Its features are the patch tokens after the final norm, without class and register tokens. Of a checkpoint with two
    towers only the vision tower is loaded. The transformer is no submodule: it moves with ``.to()``, but it is in no
    ``state_dict`` and no optimizer, and ``.train()`` does not reach it.

    Args:
        path: Directory, or hub name.
        layer: Which hidden state: -1 is the last one, after the final norm; others (-2, or 0 for the embeddings, ...)
            are as the layer left them. Default: -1.
        dtype: ``'float32'``, ``'bfloat16'`` or ``'float16'``. Default: ``'float32'``.
        image_size: Side S of the frames in pixels. Default: None, the checkpoint's own.
        config: ``model_type`` and the keys that differ from its defaults, to build from where ``path`` is not there and
            the default device is ``meta`` (a dry run). Default: None.

    Raises:
        FileNotFoundError: If there is no checkpoint at ``path``.
        ValueError: If the checkpoint is no square vision transformer, or lacks weights.
    """

    def __init__(
        self,
        path: str,
        layer: int = -1,
        dtype: str = "float32",
        image_size: int | None = None,
        config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        meta = torch.get_default_device().type == "meta"
        full = _read_config(path, config if meta else None)
        tower = getattr(full, "vision_config", full)
        self.path, self.layer = path, layer
        self.image_size, self.patch_size = _side(tower, "image_size", path), _side(tower, "patch_size", path)
        self._resized = image_size not in (None, self.image_size)
        self.image_size = image_size or self.image_size
        self.channels = int(tower.hidden_size)
        # A checkpoint's own size may leave a rest, which it was trained without (SigLIP-so400m: 384 in patches of 14).
        if self._resized and self.image_size % self.patch_size:
            raise ValueError(
                f"HFVisionTeacher: image_size={self.image_size} is no multiple of {path}'s patch of {self.patch_size}."
            )
        if meta:
            model = AutoModel.from_config(tower, dtype=getattr(torch, dtype))
        else:
            model = _load(path, tower, getattr(torch, dtype))
        self._frozen = (model.eval().requires_grad_(False),)  # in a tuple, so that it is no submodule
        mean, std = _normalisation(path, tower.model_type)
        self._frame_mean, self._frame_std = torch.tensor(mean, device="cpu"), torch.tensor(std, device="cpu")
        self.identity = _identity(model, (layer, self.image_size, dtype, mean, std))

    @property
    def model(self) -> PreTrainedModel:
        """The vision transformer."""
        return self._frozen[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        """Let the transformer follow ``.to()``, ``.cuda()`` and the like, as a submodule would."""
        self.model._apply(fn, recurse)
        return super()._apply(fn, recurse)

    @torch.no_grad()
    def forward(self, frames_VTCHW: Tensor) -> Tensor:
        """(V, T, h, w, D) in the teacher's precision; frames of another size are resized to S."""
        weight = next(self.model.parameters())
        frames = resize_frames(frames_VTCHW.flatten(0, 1).to(weight.device), self.image_size)
        mean, std = (c.to(frames).view(3, 1, 1) for c in (self._frame_mean, self._frame_std))
        options = {"interpolate_pos_encoding": True} if self._resized and "dino" not in self.model_type else {}
        out = self.model(
            pixel_values=((frames - mean) / std).to(weight.dtype), output_hidden_states=self.layer != -1, **options
        )
        tokens = self._last(out.last_hidden_state) if self.layer == -1 else out.hidden_states[self.layer]
        side = self.image_size // self.patch_size
        patches = tokens[:, tokens.shape[1] - side * side :]  # class and register tokens stand before them
        return patches.unflatten(1, (side, side)).unflatten(0, frames_VTCHW.shape[:2])

    @property
    def model_type(self) -> str:
        """The name of the transformer's family, as ``transformers`` has it."""
        return str(self.model.config.model_type)

    def _last(self, hidden: Tensor) -> Tensor:
        """The last hidden state after the final norm, which CLIP applies to its class token alone."""
        if self.model_type.endswith("clip_vision_model"):
            norm = self.model.get_submodule("post_layernorm")
            return norm(hidden)
        return hidden


def _read_config(path: str, fallback: dict[str, Any] | None) -> PretrainedConfig:
    if not (Path(path) / "config.json").is_file():
        if fallback is not None:
            return AutoConfig.for_model(**fallback)
        if Path(path).is_absolute() or path.startswith(".") or Path(path).exists():
            raise FileNotFoundError(_missing(path))
    try:
        return AutoConfig.from_pretrained(path)
    except OSError as error:
        raise FileNotFoundError(_missing(path)) from error


def _missing(path: str) -> str:
    return (
        f"HFVisionTeacher: no checkpoint at '{path}' (key 'path' of model.teacher). Download one, for instance with "
        f"'hf download google/siglip-base-patch16-224 --local-dir {path}', or set model.teacher=None or "
        f"model.teacher.type='HOGTeacher', which needs no weights."
    )


def _load(path: str, tower: PretrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # it would list every weight of the text tower, which is left out on purpose
    try:
        model, info = AutoModel.from_pretrained(path, config=tower, dtype=dtype, output_loading_info=True)
    except OSError as error:  # a config, but no weights beside it
        raise FileNotFoundError(_missing(path)) from error
    finally:
        logging.set_verbosity(verbosity)
    # The pooling head and the mask token are not used.
    missing = [k for k in info["missing_keys"] if not k.startswith(("head.", "pooler.")) and "mask_token" not in k]
    if missing:
        raise ValueError(
            f"HFVisionTeacher: {path} lacks {len(missing)} weights of its vision tower, e.g. {missing[0]}."
        )
    return model


def _side(config: PretrainedConfig, key: str, path: str) -> int:
    value = getattr(config, key, None)
    sides = {value} if isinstance(value, int) else set(value or ())
    if len(sides) != 1:
        raise ValueError(
            f"HFVisionTeacher: {path} is a {config.model_type} with {key}={value}; it takes vision transformers with "
            f"square images and patches."
        )
    return int(sides.pop())


def _normalisation(path: str, model_type: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each colour that the checkpoint was trained with, for pixels from 0 to 1."""
    file = Path(path) / "preprocessor_config.json"
    if file.is_file():
        stored = json.loads(file.read_text())
        if "image_mean" in stored and "image_std" in stored:
            return tuple(stored["image_mean"]), tuple(stored["image_std"])
    if model_type.endswith("clip_vision_model"):
        return _CLIP
    return _IMAGENET if "dino" in model_type else _HALF


def _identity(model: PreTrainedModel, settings: tuple[object, ...]) -> str:
    """A name that changes whenever the features would, and is the same wherever the checkpoint lies.

    Of the weights, norms and biases stand for all: no training leaves them as they were, and they are small.
    """
    config = {k: v for k, v in model.config.to_dict().items() if k not in ("_name_or_path", "transformers_version")}
    digest = hashlib.sha256(json.dumps([config, settings], default=str, sort_keys=True).encode())
    for parameter in model.parameters():
        if parameter.ndim == 1 and not parameter.is_meta:
            digest.update(parameter.float().cpu().numpy().tobytes())
    return f"{model.config.model_type}-{digest.hexdigest()[:16]}"
