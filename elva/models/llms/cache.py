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

    Buffers grow by half, so that a decoding step copies one row and not the whole cache.

    Attributes:
        length: Rows in it, K.
        span: Rows that there would be without merging: no two ranks are further apart.
        padded: Whether some of them are padding.
        k: (B, G, K or more, D) keys.
        v: (B, G, K or more, D) values.
        rank: (B, K or more) long.
        valid: (B, K or more) bool.
    """

    length: int = 0
    span: int = 0
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
        self.length, self.span, self.padded = end, self.span + _original_rows(state), self.padded or state.padded
        return self.k[:, :, :end], self.v[:, :, :end]

    def mask(self, state: SequenceState) -> AttnMask:
        """The mask of the rows of ``state``, which were appended last, over everything cached."""
        assert self.rank is not None and self.valid is not None
        return AttnMask(
            state.rank,
            self.rank[:, : self.length],
            self.valid[:, : self.length],
            full=state.rank.shape[1] == 1 and not self.padded,
            span=self.span,
        )

    def before(self, k_BGND: Tensor, state: SequenceState) -> tuple[Tensor, AttnMask]:
        """Keys and mask that ``append`` would lead to, and nothing is changed."""
        assert self.k is not None and self.rank is not None and self.valid is not None
        rank = torch.cat((self.rank[:, : self.length], state.rank), 1)
        valid = torch.cat((self.valid[:, : self.length], state.valid), 1)
        mask = AttnMask(state.rank, rank, valid, span=self.span + _original_rows(state))
        return torch.cat((self.k[:, :, : self.length], k_BGND), 2), mask


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
            copy = LayerCache(layer.length, layer.span, layer.padded)
            for name in ("k", "v", "rank", "valid"):
                tensor = getattr(layer, name)
                dim = 2 if name in "kv" else 1
                setattr(copy, name, tensor.narrow(dim, 0, layer.length).repeat_interleave(batch, dim=0))
            layers.append(copy)
        assert self.next_pos is not None
        return KVCache(layers, self.next_pos.repeat_interleave(batch))

    def tensors(self) -> dict[str, Tensor]:
        """A copy of everything that is cached, by name; ``safetensors`` can save it."""
        assert self.next_pos is not None
        out = {"next_pos": self.next_pos.clone()}
        for index, layer in enumerate(self.layers):
            for name in ("k", "v", "rank", "valid"):
                dim = 2 if name in "kv" else 1
                out[f"{index}.{name}"] = getattr(layer, name).narrow(dim, 0, layer.length).clone().contiguous()
        return out

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "KVCache":
        """The cache that ``tensors()`` came from."""
        depth = sum(name.endswith(".k") for name in tensors)
        span = int(tensors["next_pos"].max())
        layers = []
        for index in range(depth):
            k, v, rank, valid = (tensors[f"{index}.{name}"] for name in ("k", "v", "rank", "valid"))
            layers.append(LayerCache(k.shape[2], span, not bool(valid.all()), k, v, rank, valid))
        return cls(layers, tensors["next_pos"])


def _original_rows(state: SequenceState) -> int:
    return state.src.dst.shape[1]


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
