"""Vision transformers of Hugging Face, as teachers and as encoder-based tokenizers take them.

Legend: F frames, N tokens of a frame, h w patches, D width of the tower, Q queries, H heads, E channels of a head.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .vision_load import Owner, keep_layers, load_tower, normalisation, read_config, square_side


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
