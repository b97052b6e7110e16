"""From frame plans to token descriptions, and from clips to blocks of equal size: what every tokenizer shares.

Everything here follows from the sizes of the frames alone, so it is computed once per distinct batch of plans and
cached; a batch like the one before costs a dictionary look-up.

Legend: B clips, T frames, N tokens of the longest clip, U temporal units, t frames of a unit, n tokens of a unit,
H W pixels, h w patches, D or C channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, groupby
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from elva.structures import Clip, FramePlan, Kind, SourceMap, VideoTokens

Size = tuple[int, int]


class LayoutSpec(NamedTuple):
    """How a tokenizer cuts a clip.

    Attributes:
        patch_size: Side of a patch in pixels.
        tubelet: Successive frames of one size that make one temporal unit.
        frame_token: Whether a unit starts with a ``FRAME``.
        line_token: Whether each row of patches ends with a ``LINE``.
        merge_lines: Whether ``LINE`` rows have a slot, so that a merger may merge them through time.
        grid: Rows and columns of tokens of a frame, where the frame is one patch that an encoder makes a grid of.
            Default: None, a token for each patch.
        unit_end: Whether a unit ends with one more ``LINE``.
        clip_end: Whether a clip ends with one, which belongs to no frame.
    """

    patch_size: int
    tubelet: int = 1
    frame_token: bool = True
    line_token: bool = True
    merge_lines: bool = True
    grid: Size | None = None
    unit_end: bool = False
    clip_end: bool = False


class Unit(NamedTuple):
    """A temporal unit: at most ``tubelet`` successive frames of one size."""

    size: Size
    grid: Size
    frames: tuple[int, ...]


class PixelGroup(NamedTuple):
    """The units of one size in a batch.

    Attributes:
        grid: Rows and columns of patches of each unit.
        takes: Pairs (clip, entry of ``Clip.pixels``) whose frames, one after another, hold the units.
        lengths: Units of each of ``takes``.
        order: (U * t,) long, the frames of each unit among those; None if they already stand in that order.
    """

    grid: Size
    takes: tuple[tuple[int, int], ...]
    lengths: tuple[int, ...]
    order: Tensor | None


class UnitBlock(NamedTuple):
    """The pixels of a group.

    Attributes:
        pixels: (U, t, 3, H, W), the units of one clip after those of another.
        grid: (h, w), rows and columns of patches of each unit.
        lengths: Units of each clip that has some; they add up to U.
    """

    pixels: Tensor
    grid: Size
    lengths: tuple[int, ...]


@dataclass(frozen=True)
class BatchLayout:
    """The description of every token of a batch, in the fields of ``VideoTokens``.

    Attributes:
        groups: One entry for each distinct frame size; their units' tokens, one after another, are the flat rows.
        rows_BN: (B, N) the flat row of each token; None if flat rows are the tokens already.
        unit_BN: (B, N) the unit of each token, counted over the batch; the last one is that of padding.
        frame_unit: The unit of each frame, over all clips.
        frames_per_unit: (U + 1,) float, how many frames a unit has, at least 1.
    """

    groups: tuple[PixelGroup, ...]
    rows_BN: Tensor | None
    unit_BN: Tensor
    frame_unit: Tensor
    frames_per_unit: Tensor
    pos: Tensor
    size: Tensor
    frame: Tensor
    slot: Tensor
    grid: Tensor
    kind: Tensor
    valid: Tensor
    src: SourceMap


def grid_of(size: Size, patch_size: int) -> Size:
    """Rows and columns of patches in a frame of ``size`` = (height, width) pixels.

    Raises:
        ValueError: If a side is not a positive multiple of ``patch_size``.
    """
    height, width = size
    if height % patch_size or width % patch_size or min(size) < patch_size:
        raise ValueError(
            f"A frame of {height}x{width} pixels (height x width) cannot be cut into patches of {patch_size}: each "
            f"side must be a positive multiple of patch_size. Change 'resolution' of LoadVideo to give such sizes."
        )
    return height // patch_size, width // patch_size


def token_grid(size: Size, spec: LayoutSpec) -> Size:
    """Rows and columns of tokens of a frame of ``size`` pixels.

    Raises:
        ValueError: If the tokenizer does not take frames of this size.
    """
    if spec.grid is None:
        return grid_of(size, spec.patch_size)
    side = spec.patch_size
    if size != (side, side):
        raise ValueError(
            f"A frame of {size[0]}x{size[1]} pixels (height x width) came to an encoder of {side}x{side}: set "
            f"'resolution' of LoadVideo to dict(type='FixedResolution', size=({side}, {side}), patch_size={side})."
        )
    return spec.grid


def split_units(sizes: tuple[Size, ...], tubelet: int) -> list[tuple[int, ...]]:
    """Cut runs of successive frames of equal size into units of ``tubelet`` frames; the last of a run may be shorter.

    Unit ``i`` of the answer holds the frames whose tokens have ``frame == i``.
    """
    units = []
    for _, run in groupby(range(len(sizes)), key=sizes.__getitem__):
        frames = tuple(run)
        units += [frames[i : i + tubelet] for i in range(0, len(frames), tubelet)]
    return units


@lru_cache(maxsize=1024)
def units_of(sizes: tuple[Size, ...], spec: LayoutSpec) -> tuple[Unit, ...]:
    """The temporal units of a clip, see :func:`split_units`.

    Args:
        sizes: (height, width) in pixels of each frame, in time order.
        spec: How the tokenizer cuts.

    Raises:
        ValueError: If there is no frame, or a size does not fit the patch.
    """
    if not sizes:
        raise ValueError("FramePlan has no sizes: run a resolution scheduler ('resolution' of LoadVideo) on it first.")
    units = []
    for frames in split_units(sizes, spec.tubelet):
        size = sizes[frames[0]]
        units.append(Unit(size, token_grid(size, spec), frames))
    return tuple(units)


def unit_length(grid: Size, spec: LayoutSpec) -> int:
    """Tokens of one unit: h * w patches, and h ``LINE`` and one ``FRAME`` where the tokenizer makes them."""
    return grid[0] * (grid[1] + spec.line_token) + spec.frame_token + spec.unit_end


def count_tokens(plan: FramePlan, spec: LayoutSpec) -> int:
    """Tokens of a clip with this plan."""
    return sum(unit_length(unit.grid, spec) for unit in units_of(plan.sizes, spec)) + spec.clip_end


def layout_of(clips: Sequence[Clip], spec: LayoutSpec, device: torch.device) -> BatchLayout:
    """The layout of a batch of clips, from the cache where the same sizes came before.

    Raises:
        ValueError: If there is no clip, if pixels are not floating point, or if a frame does not fit the patch.
    """
    if not clips:
        raise ValueError("A tokenizer needs at least one clip; a batch without video does not go through it.")
    if not clips[0].pixels[0].is_floating_point():
        raise ValueError(
            f"Clip {clips[0].path or 'without path'} has {clips[0].pixels[0].dtype} pixels; a tokenizer takes "
            f"normalised floating point: is 'data_preprocessor' of the model VideoDataPreprocessor?"
        )
    return _batch_layout(tuple(clip.plan.sizes for clip in clips), spec, device)


def stack_units(clips: Sequence[Clip], layout: BatchLayout, tubelet: int) -> list[UnitBlock]:
    """Pixels of each group's units; an incomplete unit repeats its last frame."""
    blocks = []
    for group in layout.groups:
        frames = torch.cat([clips[clip].pixels[entry] for clip, entry in group.takes])
        frames = frames if group.order is None else frames.index_select(0, group.order)
        blocks.append(UnitBlock(frames.unflatten(0, (-1, tubelet)), group.grid, group.lengths))
    return blocks


def patchify(units_UtCHW: Tensor, patch_size: int) -> Tensor:
    """(U, h, w, t * 3 * P * P): each patch of a unit flattened, time first, then colour, row, column."""
    u, t, c, height, width = units_UtCHW.shape
    p = patch_size
    cells = units_UtCHW.reshape(u, t, c, height // p, p, width // p, p)
    return cells.permute(0, 3, 5, 1, 2, 4, 6).reshape(u, height // p, width // p, t * c * p * p)


def delimit(patch_UhwD: Tensor, line: Tensor | None = None, frame: Tensor | None = None) -> Tensor:
    """(U, n, D) tokens of units in their order: ``FRAME``, then each row of patches followed by ``LINE``.

    Args:
        patch_UhwD: The patches.
        line: (D,) or (U, h, D), the ``LINE`` tokens. Default: None, there are none.
        frame: (D,) or (U, D), the ``FRAME`` tokens. Default: None, there are none.
    """
    u, h, _, width = patch_UhwD.shape
    rows = [patch_UhwD] if line is None else [patch_UhwD, line.to(patch_UhwD.dtype).expand(u, h, width)[:, :, None]]
    rows_UnD = torch.cat(rows, 2).flatten(1, 2)
    if frame is None:
        return rows_UnD
    return torch.cat((frame.to(patch_UhwD.dtype).expand(u, width)[:, None], rows_UnD), 1)


def patches_of(x_UnD: Tensor, grid: Size, spec: LayoutSpec) -> Tensor:
    """(U, h, w, D): the patches among the tokens of units, what :func:`delimit` was given."""
    h, w = grid
    return x_UnD[:, spec.frame_token :].unflatten(1, (h, w + spec.line_token))[:, :, :w]


def place(blocks: Sequence[Tensor], layout: BatchLayout) -> Tensor:
    """(B, N, C): the groups' rows, (U, n, C) each, in the places of their tokens; 0 on padding.

    With ``clip_end``, one more block (1, 1, C) is what stands at the end of every clip.
    """
    flat = torch.cat([block.flatten(0, 1) for block in blocks]) if len(blocks) > 1 else blocks[0].flatten(0, 1)
    if layout.rows_BN is None:
        return flat.unflatten(0, layout.valid.shape)
    rows = flat.index_select(0, layout.rows_BN.flatten()).unflatten(0, layout.valid.shape)
    return rows.masked_fill(~layout.valid[..., None], 0)


def to_tokens(blocks: Sequence[Tensor], clips: Sequence[Clip], layout: BatchLayout) -> VideoTokens:
    """Put the groups' features, (U, n, C) each, in their places beside their descriptions."""
    described = ("pos", "size", "frame", "slot", "grid", "kind", "valid", "src")
    fields = {name: getattr(layout, name) for name in described}
    return VideoTokens(x=place(blocks, layout), seconds=_seconds(clips, layout), **fields)


def _seconds(clips: Sequence[Clip], layout: BatchLayout) -> Tensor:
    """(B, N) mean presentation time of the frames of each token's unit."""
    times = [second for clip in clips for second in clip.plan.seconds]
    times_T = torch.tensor(times, dtype=torch.float32, device=layout.frame_unit.device)
    mean_U = torch.zeros_like(layout.frames_per_unit).index_add_(0, layout.frame_unit, times_T)
    return (mean_U / layout.frames_per_unit)[layout.unit_BN]


@lru_cache(maxsize=16)
def _batch_layout(sizes: tuple[tuple[Size, ...], ...], spec: LayoutSpec, device: torch.device) -> BatchLayout:
    # Cached tensors outlive the call: made in inference mode they could not be saved for a later backward pass.
    with torch.inference_mode(False):
        units = [units_of(clip, spec) for clip in sizes]
        parts = [_clip_layout(clip, spec) for clip in sizes]
        valid = _pad([torch.ones(len(part["kind"]), dtype=torch.bool, device="cpu") for part in parts], 0)
        first_unit = list(accumulate([len(clip) for clip in units], initial=0))
        unit_BN = _pad([base + part["unit"] for base, part in zip(first_unit, parts, strict=False)], first_unit[-1])
        groups, starts = _group(sizes, units, spec, device)
        frame_BN = _pad([part["frame"] for part in parts], -1)
        rows_BN = (_long(starts)[unit_BN] + _pad([part["within"] for part in parts], 0)).masked_fill(~valid, 0)
        rows_BN[valid & (frame_BN < 0)] = int((frame_BN >= 0).sum())  # the end of a clip: behind the rows of all units
        in_place = bool((rows_BN.flatten() == torch.arange(rows_BN.numel(), device="cpu")).all())
        members = [len(unit.frames) for clip in units for unit in clip]
        return BatchLayout(
            groups=groups,
            rows_BN=None if in_place else rows_BN.to(device),
            unit_BN=unit_BN.to(device),
            frame_unit=torch.repeat_interleave(_long(members)).to(device),
            frames_per_unit=_long([*members, 1]).float().to(device),
            pos=_pad([part["pos"] for part in parts], 0).to(device),
            size=valid.float().to(device),
            frame=frame_BN.to(device),
            slot=_pad([part["slot"] for part in parts], -1).to(device),
            grid=_pad([part["grid"] for part in parts], 0).to(device),
            kind=_pad([part["kind"] for part in parts], Kind.PAD).to(device),
            valid=valid.to(device),
            src=SourceMap.identity(valid.to(device)),
        )


def _group(
    sizes: Sequence[tuple[Size, ...]], units: Sequence[tuple[Unit, ...]], spec: LayoutSpec, device: torch.device
) -> tuple[tuple[PixelGroup, ...], list[int]]:
    """The groups of a batch, and the flat row at which each unit (and, at the end, padding) starts."""
    groups, starts, row = [], [[0] * len(clip) for clip in units], 0
    for size in dict.fromkeys(size for clip in sizes for size in clip):
        takes, lengths, index, before = [], [], list[int](), 0
        grid = token_grid(size, spec)
        length = unit_length(grid, spec)
        for b, clip in enumerate(sizes):
            if size not in clip:
                continue
            takes.append((b, list(dict.fromkeys(clip)).index(size)))
            own = [frame for frame, other in enumerate(clip) if other == size]
            order = {frame: before + i for i, frame in enumerate(own)}
            before += len(own)
            mine = [(u, unit.frames) for u, unit in enumerate(units[b]) if unit.size == size]
            lengths.append(len(mine))
            for u, frames in mine:
                starts[b][u] = row
                row += length
                index += [order[frames[min(i, len(frames) - 1)]] for i in range(spec.tubelet)]
        in_order = None if index == list(range(before)) else _long(index).to(device)
        groups.append(PixelGroup(grid, tuple(takes), tuple(lengths), in_order))
    return tuple(groups), [start for clip in starts for start in clip] + [0]


@lru_cache(maxsize=256)
def _clip_layout(sizes: tuple[Size, ...], spec: LayoutSpec) -> dict[str, Tensor]:
    """The description of one clip's tokens, (N, ...) each; ``within`` is the place in the ``unit``."""
    units = units_of(sizes, spec)
    grids = list(dict.fromkeys(unit.grid for unit in units))
    templates = _templates(grids, spec)
    lengths = _long([unit_length(grid, spec) for grid in grids])
    which = _long([grids.index(unit.grid) for unit in units])
    unit = torch.repeat_interleave(lengths[which])
    begins = lengths[which].cumsum(0) - lengths[which]
    within = torch.arange(len(unit), device="cpu") - begins[unit]
    row = (lengths.cumsum(0) - lengths)[which][unit] + within
    centre = _long([unit.frames[0] for unit in units]).float() + (spec.tubelet - 1) / 2
    tokens = {
        "pos": torch.cat((centre[unit][:, None], templates["place"][row]), 1),
        "frame": unit,
        "unit": unit,
        "slot": templates["slot"][row],
        "grid": _long(grids)[which][unit],
        "kind": templates["kind"][row],
        "within": within,
    }
    return _with_end(tokens) if spec.clip_end else tokens


def _with_end(tokens: dict[str, Tensor]) -> dict[str, Tensor]:
    """One more ``LINE``, behind the last row of the last unit, which is of no frame and may not merge."""
    h, w = tokens["grid"][-1].tolist()
    own = {"frame": -1, "slot": -1, "kind": int(Kind.LINE), "within": 0}
    ends = {
        name: torch.full_like(tokens[name][-1:], own[name]) if name in own else tokens[name][-1:] for name in tokens
    }
    ends["pos"] = torch.tensor([[float(tokens["pos"][-1, 0]), h - 1, w]], device="cpu")
    return {name: torch.cat((tokens[name], ends[name])) for name in tokens}


def _templates(grids: Sequence[Size], spec: LayoutSpec) -> dict[str, Tensor]:
    """One unit of each grid, one after another: place (row, column) in the finest grid, slot and kind of its tokens."""
    fine = max(grids, key=lambda grid: grid[0] * grid[1])
    places, slots, kinds, base = [], [], [], 0
    for h, w in grids:
        columns = w + spec.line_token
        row, col = torch.meshgrid(torch.arange(h, device="cpu"), torch.arange(columns, device="cpu"), indexing="ij")
        row, col = row.flatten(), col.flatten()
        line = col == w
        slot = base + torch.where(line, h * w + row, row * w + col)
        slot = slot if spec.merge_lines else slot.masked_fill(line, -1)
        kind = torch.where(line, int(Kind.LINE), int(Kind.PATCH))
        place = torch.stack((row, col), 1).float()
        if spec.frame_token:
            place = torch.cat((torch.tensor([[(h - 1) / 2, (w - 1) / 2]], device="cpu"), place))
            slot, kind = torch.cat((_long([-1]), slot)), torch.cat((_long([Kind.FRAME]), kind))
        if spec.unit_end:
            place = torch.cat((place, torch.tensor([[h - 1.0, columns]], device="cpu")))
            slot = torch.cat((slot, _long([base + h * w + h if spec.merge_lines else -1])))
            kind = torch.cat((kind, _long([Kind.LINE])))
        scale = torch.tensor([fine[0] / h, fine[1] / w], device="cpu")
        places.append((place + 0.5) * scale - 0.5)
        slots.append(slot)
        kinds.append(kind)
        base += h * w + h + 1
    return {"place": torch.cat(places), "slot": torch.cat(slots), "kind": torch.cat(kinds)}


def _long(values: Sequence[object]) -> Tensor:
    # The device is named everywhere, so that a 'meta' default device does not leak into the cache.
    return torch.tensor(values, dtype=torch.long, device="cpu")


def _pad(parts: list[Tensor], fill: int) -> Tensor:
    return pad_sequence(parts, batch_first=True, padding_value=fill)
