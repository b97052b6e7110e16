"""Keys and values of earlier rows, with a length of its own for each layer.

Legend: B batch, G key/value heads, K cached rows, M rows that are read, N new rows, D head width.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from .cached_rows import ROW_FIELDS, CachedRows


@dataclass
class LayerCache:
    """One layer's keys and values, and the description of the rows that they came from.

    Buffers grow by half, so that a decoding step copies one row and not the whole cache.

    Attributes:
        length: Rows in it, K.
        k: (B, G, K or more, D) keys.
        v: (B, G, K or more, D) values.
        rows: What they are.
    """

    length: int = 0
    k: Tensor | None = None
    v: Tensor | None = None
    rows: CachedRows | None = None

    def append(self, k_BGND: Tensor, v_BGND: Tensor, rows: CachedRows) -> tuple[Tensor, Tensor]:
        """Add keys and values; returns all so far, (B, G, K, D) each.

        Args:
            k_BGND: Keys of the new rows.
            v_BGND: Their values.
            rows: What all rows are, the new ones behind the others.
        """
        end = self.length + k_BGND.shape[2]
        self.k, self.v = _put(self.k, k_BGND, self.length), _put(self.v, v_BGND, self.length)
        self.length, self.rows = end, rows
        return self.k[:, :, :end], self.v[:, :, :end]

    def read(self, row_BM: Tensor) -> tuple[Tensor, Tensor]:
        """The keys and values (B, G, M, D) of some rows."""
        assert self.k is not None and self.v is not None
        batch, groups, room, _ = self.k.shape
        first_BG1 = (torch.arange(batch * groups, device=row_BM.device) * room).view(batch, groups, 1)
        flat = (first_BG1 + row_BM[:, None]).flatten()
        k, v = (x.reshape(-1, x.shape[3]).index_select(0, flat) for x in (self.k, self.v))
        return k.view(batch, groups, -1, k.shape[1]), v.view(batch, groups, -1, v.shape[1])


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

        def repeat(x: Tensor) -> Tensor:
            return x.repeat_interleave(batch, dim=0)

        shared = {id(layer.rows): layer.rows and layer.rows.each(repeat) for layer in self.layers}
        layers = []
        for layer in self.layers:
            k, v = _filled(layer)
            layers.append(LayerCache(layer.length, repeat(k), repeat(v), shared[id(layer.rows)]))
        assert self.next_pos is not None
        return KVCache(layers, repeat(self.next_pos))

    def tensors(self) -> dict[str, Tensor]:
        """A copy of everything that is cached, by name; ``safetensors`` can save it."""
        assert self.next_pos is not None
        out = {"next_pos": self.next_pos.clone()}
        for index, layer in enumerate(self.layers):
            k, v = _filled(layer)
            own = {"k": k, "v": v, **{name: getattr(layer.rows, name) for name in ROW_FIELDS}}
            out |= {f"{index}.{name}": x.clone(memory_format=torch.contiguous_format) for name, x in own.items()}
        return out

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "KVCache":
        """The cache that ``tensors()`` came from."""
        depth = sum(name.endswith(".k") for name in tensors)
        span = int(tensors["next_pos"].max())
        layers: list[LayerCache] = []
        for index in range(depth):
            own = {name: tensors[f"{index}.{name}"] for name in ("k", "v", *ROW_FIELDS)}
            k, v = own.pop("k"), own.pop("v")
            rows = CachedRows(**own, span=span, padded=not bool(own["valid"].all()))
            before = layers[-1].rows if layers else None
            layers.append(LayerCache(k.shape[2], k, v, before if before and before.same(rows) else rows))
        return cls(layers, tensors["next_pos"])


def _filled(layer: LayerCache) -> tuple[Tensor, Tensor]:
    assert layer.k is not None and layer.v is not None
    return layer.k[:, :, : layer.length], layer.v[:, :, : layer.length]


def _put(buffer: Tensor | None, new: Tensor, at: int) -> Tensor:
    """Write the rows ``new`` into ``buffer`` from row ``at`` on, in a larger buffer where they do not fit."""
    if buffer is None:
        return new
    end = at + new.shape[2]
    if buffer.shape[2] < end:
        batch, groups, _, width = buffer.shape
        larger = buffer.new_empty(batch, groups, max(end, at + at // 2 + 32), width)
        larger[:, :, :at] = buffer[:, :, :at]
        buffer = larger
    buffer[:, :, at:end] = new
    return buffer
