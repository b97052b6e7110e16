"""A strip of frames, and what merging left of their patches.

Legend: B samples, T frames, N tokens of a clip (P of them patches), L rows of the sequence, H W pixels.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from elva.models.llms import Trace
from elva.models.video_llm import VideoLLM
from elva.structures import Clip, Kind, SequenceState, VideoTokens

GROUP_COLOURS = ("#e41a1c", "#377eb8", "#4daf4a", "#984ea3", "#ff7f00", "#00a6a6", "#f781bf", "#a65628")


@dataclass(frozen=True)
class MergeStep:
    """Which row each patch is part of in one layer.

    Attributes:
        layer: The layer whose attention the rows enter.
        rows: How many rows there are, text included.
        row: (P,) the row of each patch; -1 if it was dropped.
        stays: (P,) bool, whether the row stands in this patch's place; the other patches of the row were merged away.
    """

    layer: int
    rows: int
    row: np.ndarray
    stays: np.ndarray


@dataclass(frozen=True)
class ClipTrace:
    """What became of the patches of one clip inside the language model.

    Attributes:
        frames: T arrays (H, W, 3) uint8.
        seconds: (T,) their times.
        unit: (T,) the temporal unit (frame or tubelet) that each frame belongs to.
        patch_unit: (P,) the unit of each patch; a patch covers its place in every frame of the unit.
        box: (P, 4) top, left, height and width of each patch, as shares of its frame.
        steps: One for the first layer, and one for each layer that has fewer rows than the one before.
    """

    frames: list[np.ndarray]
    seconds: np.ndarray
    unit: np.ndarray
    patch_unit: np.ndarray
    box: np.ndarray
    steps: list[MergeStep]


@torch.no_grad()
def trace_clip(model: VideoLLM, inputs: dict[str, Any], video: int = 0) -> ClipTrace:
    """Run a prompt through the model and follow each patch of one of its videos, through reducers and mergers.

    Args:
        model: The model, with whatever tokenizer, reducers and merger.
        inputs: A batch of the model's data preprocessor.
        video: Which video of the batch.
    """
    assembly, tokens = model.assemble(inputs)
    assert tokens is not None and assembly.placement is not None, "trace_clip needs a batch with videos"
    trace = Trace(keep_states=True)
    model.llm(assembly.state, model.merger, trace=trace)
    sample = int(assembly.placement.sample[video])
    cut = model.tokenizer(inputs["clips"])  # every token as it was cut, before any reducer
    patch_N = cut.valid[video] & (cut.kind[video] == Kind.PATCH)
    start_P = _follow(tokens.src.dst[video], assembly.placement.row[video])[patch_N]

    first_P = _first_frames(cut, video, model.tokenizer.tubelet)[patch_N].cpu().numpy()
    first_frames, patch_unit = np.unique(first_P, return_inverse=True)
    clip = inputs["clips"][video]
    return ClipTrace(
        frames=_frames(clip, model),
        seconds=np.array(clip.plan.seconds),
        unit=np.searchsorted(first_frames, np.arange(len(clip.plan)), side="right") - 1,
        patch_unit=patch_unit,
        box=_boxes(cut, video)[patch_N].cpu().numpy(),
        steps=[
            _step(layer, state, sample, start_P)
            for layer, state in enumerate(trace.states)
            if layer == 0 or state.lengths[sample] < trace.states[layer - 1].lengths[sample]
        ],
    )


def draw_strip(trace: ClipTrace, columns: int = 8) -> Figure:
    """The frames, and below them what is left of them after the first merge and after the last.

    A patch whose row stands for several is bright in an outline of its group's colour; those that were merged into it
    are pale in that colour; a patch that stands for itself looks as it did; one that was dropped is black.

    Args:
        trace: Of ``trace_clip``.
        columns: Frames side by side; longer clips are shown at evenly spaced frames.
    """
    shown = np.unique(np.linspace(0, len(trace.frames) - 1, min(columns, len(trace.frames))).round().astype(int))
    steps = [trace.steps[i] for i in sorted({min(1, len(trace.steps) - 1), len(trace.steps) - 1})]
    aspect = trace.frames[0].shape[0] / trace.frames[0].shape[1]
    figure = Figure(figsize=(10, (1 + len(steps)) * (10 / len(shown) * aspect + 0.25)), layout="constrained")
    bands = figure.subfigures(1 + len(steps), 1, squeeze=False)[:, 0]
    bands[0].suptitle("the frames", x=0, ha="left", fontsize=9)
    for ax, t in zip(bands[0].subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        ax.imshow(trace.frames[t], interpolation="nearest")
        ax.axis("off")
        ax.text(0.03, 0.96, f"{trace.seconds[t]:.2f} s", color="white", fontsize=7, va="top", transform=ax.transAxes)
    for band, step in zip(bands[1:], steps, strict=True):
        title = f"in layer {step.layer}: {step.rows} of {trace.steps[0].rows} tokens (text included)"
        band.suptitle(title, x=0, ha="left", fontsize=9)
        colour = _group_colours(step)
        for ax, t in zip(band.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
            _draw_merged(ax, trace, t, step, colour)
    return figure


def _draw_merged(ax: Axes, trace: ClipTrace, t: int, step: MergeStep, colour: dict[int, str]) -> None:
    """One frame with the patches of its unit as they are in ``step``."""
    picture = trace.frames[t] / 255.0
    height, width = picture.shape[:2]
    for patch in (trace.patch_unit == trace.unit[t]).nonzero()[0]:
        row = int(step.row[patch])
        top, left, h, w = trace.box[patch] * np.array([height, width, height, width])
        cell = picture[round(top) : round(top + h), round(left) : round(left + w)]
        if row < 0:
            cell[:] = 0
        elif not step.stays[patch]:
            cell[:] = 0.12 * cell + 0.48 + 0.4 * np.array(to_rgb(colour[row]))
        elif row in colour:
            outline = Rectangle((left + 0.5, top + 0.5), w - 2, h - 2, fill=False, edgecolor=colour[row], linewidth=1.5)
            ax.add_patch(outline)
    ax.imshow(picture.clip(0, 1), interpolation="nearest")
    ax.axis("off")


def _group_colours(step: MergeStep) -> dict[int, str]:
    """A colour for each row that stands for several patches; neighbours differ."""
    rows, counts = np.unique(step.row[step.row >= 0], return_counts=True)
    return {int(row): GROUP_COLOURS[i % len(GROUP_COLOURS)] for i, row in enumerate(rows[counts > 1])}


def _step(layer: int, state: SequenceState, sample: int, start_P: Tensor) -> MergeStep:
    """Where the patches that were assembled as rows ``start_P`` are in ``state``."""
    row_P = _follow(start_P, state.src.dst[sample])
    stays_P = (row_P >= 0) & (state.pos[sample][row_P.clamp(min=0)] == start_P)  # a row keeps its anchor's position
    return MergeStep(layer, int(state.lengths[sample]), row_P.cpu().numpy(), stays_P.cpu().numpy())


def _follow(at: Tensor, to: Tensor) -> Tensor:
    """``to[at]``, where -1 stays -1."""
    return torch.where(at >= 0, to[at.clamp(min=0)], -1)


def _first_frames(cut: VideoTokens, video: int, tubelet: int) -> Tensor:
    """(N,) the first frame of each token's unit; the token's time is the middle of a full unit."""
    return (cut.pos[video, :, 0] - (tubelet - 1) / 2).round().long()


def _boxes(cut: VideoTokens, video: int) -> Tensor:
    """(N, 4) top, left, height and width of each token's place, as shares of the frame."""
    grid_N2 = cut.grid[video].float().clamp(min=1)
    fine_2 = grid_N2[grid_N2.prod(1).argmax()]
    centre_N2 = (cut.pos[video, :, 1:] + 0.5) / fine_2  # places are counted in cells of the finest grid
    return torch.cat((centre_N2 - 0.5 / grid_N2, 1 / grid_N2), 1)


def _frames(clip: Clip, model: VideoLLM) -> list[np.ndarray]:
    """The frames of a normalised clip as pictures, in time order."""
    pictures: dict[int, np.ndarray] = {}
    for pixels, frames in zip(clip.pixels, clip.plan.groups().values(), strict=True):
        rgb = (model.data_preprocessor.denormalise(pixels) * 255).round().clamp(0, 255).byte()
        pictures |= dict(zip(frames, rgb.permute(0, 2, 3, 1).cpu().numpy(), strict=True))
    return [pictures[frame] for frame in range(len(clip.plan))]
