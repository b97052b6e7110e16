"""Vision transformers of Hugging Face, as teachers and as encoder-based tokenizers take them.

Legend: F frames, N tokens of a frame, h w patches, D width of the tower, Q queries, H heads, E channels of a head.
"""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
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


class VisionTower(nn.Module):
    """A transformer of single frames, cut after the layer whose hidden state is wanted.

    What lies behind that layer (further layers, the final norm where it is not asked for, pooling heads) is dropped:
    it would cost time, and stand without gradient in a trained model.

    Args:
        owner: For messages.
        path: Directory in the Hugging Face layout, or hub name: of the tower, of a model with two towers, or of a LLaVA
            (its ``vision_tower``). None for random weights of the shape in ``config``.
        config: ``model_type`` and the keys that differ from its defaults: the shape where ``path`` is None, and where
            it is not there and the default device is ``meta`` (a dry run).
        layer: Which hidden state, as an index: 0 is that of the embeddings, -1 the last. Default: -1.
        final_norm: Apply the tower's final norm to it. Default: False, as the layer left it.
        dtype: ``'float32'``, ``'bfloat16'`` or ``'float16'``. Default: ``'float32'``.
        image_size: Side of the frames in pixels. Default: None, the checkpoint's own.

    Attributes:
        image_size: Side of the square frames that it takes, in pixels.
        grid: Patches along a side; a side that is no multiple of the patch leaves a rest that is not seen.
        channels: D.
        mean: Of each colour, for pixels from 0 to 1, as the checkpoint was trained.
        std: Likewise.

    Raises:
        FileNotFoundError: If there is no checkpoint at ``path``.
        ValueError: If the checkpoint is no square vision transformer, lacks weights, or has no such layer.
    """

    def __init__(
        self,
        owner: Owner,
        path: str | None,
        config: dict[str, Any] | None = None,
        layer: int = -1,
        final_norm: bool = False,
        dtype: str = "float32",
        image_size: int | None = None,
    ) -> None:
        super().__init__()
        shape = read_config(owner, path, config)
        own, patch = (square_side(owner, shape, key) for key in ("image_size", "patch_size"))
        self.image_size = image_size or own
        self._resized = self.image_size != own
        # A checkpoint's own size may leave a rest, which it was trained without (SigLIP-so400m: 384 in patches of 14).
        if self._resized and self.image_size % patch:
            raise ValueError(f"{owner.name}: image_size={image_size} is no multiple of {path}'s patch of {patch}.")
        self.grid, self.channels = self.image_size // patch, int(shape.hidden_size)
        self.mean, self.std = normalisation(path, shape.model_type)
        self.model = load_tower(owner, path, shape, dtype)
        keep_layers(owner, self.model, layer, final_norm)

    @property
    def model_type(self) -> str:
        """The name of the transformer's family, as ``transformers`` has it."""
        return str(self.model.config.model_type)

    def forward(self, pixels_FCHW: Tensor, signals: Collection[str] = ()) -> dict[str, Tensor]:
        """Features of frames (F, 3, S, S), normalised as the checkpoint wants them.

        Args:
            pixels_FCHW: The frames.
            signals: Of ``'attn'`` and ``'keys'``, what to give as well, of the last layer that is left. Default: none.

        Returns:
            ``x`` (F, h, w, D) without class and register tokens; ``attn`` (F, h, w) float32, what the class token
            attends to, mean over heads (where there is none: the mean over all queries); ``keys`` (F, h, w, D).
        """
        options = {"interpolate_pos_encoding": True} if self._resized and "dino" not in self.model_type else {}
        with _overheard(self._attention() if signals else None) as heard:
            tokens = self.model(pixel_values=pixels_FCHW.to(self.model.dtype), **options).last_hidden_state
        if self.model_type.endswith("clip_vision_model"):
            tokens = self.model.get_submodule("post_layernorm")(tokens)  # it norms its class token alone
        prefix = tokens.shape[1] - self.grid**2  # class and register tokens stand before the patches
        out = {"x": tokens}
        if "keys" in signals:
            out["keys"] = heard["k_proj"]
        if "attn" in signals:
            query = heard["q_proj"][:, :1] if prefix else heard["q_proj"]
            out["attn"] = attention_received(query, heard["k_proj"], self.model.config.num_attention_heads)
        return {name: value[:, prefix:].unflatten(1, (self.grid, self.grid)) for name, value in out.items()}

    def _attention(self) -> nn.Module:
        found = [module for module in self.model.modules() if hasattr(module, "q_proj") and hasattr(module, "k_proj")]
        if not found:
            raise ValueError(f"A {self.model_type} cut before its first layer has no attention and no keys to give.")
        return found[-1]


def attention_received(q_FQD: Tensor, k_FND: Tensor, heads: int) -> Tensor:
    """(F, N) float32: the attention that each token receives, mean over queries and heads.

    One head at a time: all at once would be the attention matrix that the fast kernels avoid.
    """
    scale = (k_FND.shape[-1] // heads) ** -0.5
    total_FN = k_FND.new_zeros(k_FND.shape[:2], dtype=torch.float32)
    for q_FQE, k_FNE in zip(q_FQD.chunk(heads, -1), k_FND.chunk(heads, -1), strict=True):
        total_FN = total_FN + (q_FQE @ k_FNE.mT * scale).float().softmax(-1).mean(1)
    return total_FN / heads


@contextmanager
def _overheard(attention: nn.Module | None) -> Iterator[dict[str, Tensor]]:
    """What the query and key projections of ``attention`` give while it runs."""
    heard: dict[str, Tensor] = {}
    names = ("q_proj", "k_proj") if attention is not None else ()
    handles = [
        getattr(attention, name).register_forward_hook(lambda _, __, out, name=name: heard.update({name: out}))
        for name in names
    ]
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()


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
        model.pooler = None  # that of ViT, of the class token
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
