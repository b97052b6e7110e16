"""Keys and values of earlier rows, with a length of its own for each layer.

Legend: B batch, G key/value heads, K cached rows, N new rows, D head width.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from elva.models.attention import AttnMask
from elva.structures import SequenceState


@dataclass
class LayerCache:
    """One layer's keys and values, and the description of the rows that they came from.

    Buffers grow by doubling, so that a decoding step copies one row and not the whole cache.
    """

    length: int = 0
    padded: bool = False
    k: Tensor | None = None
    v: Tensor | None = None
    rank: Tensor | None = None
    valid: Tensor | None = None

    def append(self, k_BGND: Tensor, v_BGND: Tensor, state: SequenceState) -> tuple[Tensor, Tensor]:
        """Add the rows of ``state``; returns all keys and values so far, (B, G, K, D) each."""
        end = self.length + k_BGND.shape[2]
        self.k = _put(self.k, k_BGND, self.length, dim=2)
        self.v = _put(self.v, v_BGND, self.length, dim=2)
        self.rank = _put(self.rank, state.rank, self.length, dim=1)
        self.valid = _put(self.valid, state.valid, self.length, dim=1)
        self.length, self.padded = end, self.padded or state.padded
        return self.k[:, :, :end], self.v[:, :, :end]

    def mask(self, state: SequenceState) -> AttnMask:
        """The mask of the rows of ``state``, which were appended last, over everything cached."""
        assert self.rank is not None and self.valid is not None
        alone = self.length == state.rank.shape[1]
        step = state.rank.shape[1] == 1 and not self.padded
        return AttnMask(
            state.rank,
            self.rank[:, : self.length],
            self.valid[:, : self.length],
            causal=alone and state.rising and not step,
            full=step,
        )


@dataclass
class KVCache:
    """The cache of a whole model.

    Attributes:
        layers: One cache a layer, each with its own length.
        next_pos: (B,) long, the position of the next row: the original length, whatever was merged.
    """

    layers: list[LayerCache] = field(default_factory=list)
    next_pos: Tensor | None = None

    @classmethod
    def empty(cls, depth: int) -> "KVCache":
        """A cache for ``depth`` layers with nothing in it."""
        return cls([LayerCache() for _ in range(depth)])

    def fork(self, batch: int) -> "KVCache":
        """A copy that serves ``batch`` continuations of a cache of one sample (many questions, one video)."""
        layers = []
        for layer in self.layers:
            copy = LayerCache(layer.length, layer.padded)
            for name in ("k", "v", "rank", "valid"):
                tensor = getattr(layer, name)
                dim = 2 if name in "kv" else 1
                setattr(copy, name, tensor.narrow(dim, 0, layer.length).repeat_interleave(batch, dim=0))
            layers.append(copy)
        assert self.next_pos is not None
        return KVCache(layers, self.next_pos.repeat_interleave(batch))

    def tensors(self) -> dict[str, Tensor]:
        """Everything that is cached, by name; ``safetensors`` can save it."""
        assert self.next_pos is not None
        out = {"next_pos": self.next_pos}
        for index, layer in enumerate(self.layers):
            for name in ("k", "v", "rank", "valid"):
                dim = 2 if name in "kv" else 1
                out[f"{index}.{name}"] = getattr(layer, name).narrow(dim, 0, layer.length).contiguous()
        return out

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "KVCache":
        """The cache that ``tensors()`` came from."""
        depth = sum(name.endswith(".k") for name in tensors)
        layers = []
        for index in range(depth):
            k, v, rank, valid = (tensors[f"{index}.{name}"] for name in ("k", "v", "rank", "valid"))
            layers.append(LayerCache(k.shape[2], not bool(valid.all()), k, v, rank, valid))
        return cls(layers, tensors["next_pos"])


def _put(buffer: Tensor | None, new: Tensor, at: int, dim: int) -> Tensor:
    """Write ``new`` into ``buffer`` from row ``at`` on, in a larger buffer where it does not fit."""
    if buffer is None:
        return new
    need = at + new.shape[dim]
    if buffer.shape[dim] < need:
        shape = list(buffer.shape)
        shape[dim] = max(need, at + at // 2 + 32)
        larger = torch.empty(shape, dtype=buffer.dtype, device=buffer.device)
        larger.narrow(dim, 0, at).copy_(buffer.narrow(dim, 0, at))
        buffer = larger
    buffer.narrow(dim, at, new.shape[dim]).copy_(new)
    return buffer
