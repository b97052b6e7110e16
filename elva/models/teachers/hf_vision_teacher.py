"""Any vision transformer of Hugging Face as a teacher: SigLIP, CLIP, DINOv2 and their like.

Legend: V videos, T frames, S side in pixels, h w the teacher's patches, D width of the teacher.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from elva.models.vision_load import Owner
from elva.models.vision_tower import VisionTower
from elva.registry import TEACHERS

from .base import Teacher
from .frames import resize_frames

_OWNER = Owner(
    name="HFVisionTeacher",
    key="model.teacher",
    example="google/siglip-base-patch16-224",
    otherwise="set model.teacher=None or model.teacher.type='HOGTeacher', which needs no weights",
)


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
        tower = VisionTower(_OWNER, path, config, layer, layer == -1, dtype, image_size)
        self._frozen = (tower.eval().requires_grad_(False),)  # in a tuple, so that it is no submodule
        self.path, self.image_size, self.channels = path, tower.image_size, tower.channels
        self._frame_mean, self._frame_std = (torch.tensor(c, device="cpu") for c in (tower.mean, tower.std))
        self.identity = _identity(tower.model, (layer, self.image_size, dtype, tower.mean, tower.std))

    @property
    def model(self) -> PreTrainedModel:
        """The vision transformer."""
        return self._frozen[0].model

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        """Let the transformer follow ``.to()``, ``.cuda()`` and the like, as a submodule would."""
        self._frozen[0]._apply(fn, recurse)
        return super()._apply(fn, recurse)

    @torch.no_grad()
    def forward(self, frames_VTCHW: Tensor) -> Tensor:
        """(V, T, h, w, D) in the teacher's precision; frames of another size are resized to S."""
        frames = resize_frames(frames_VTCHW.flatten(0, 1).to(self.model.device), self.image_size)
        mean, std = (c.to(frames).view(3, 1, 1) for c in (self._frame_mean, self._frame_std))
        return self._frozen[0]((frames - mean) / std)["x"].unflatten(0, frames_VTCHW.shape[:2])


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
