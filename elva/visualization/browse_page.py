"""Samples as one HTML file."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from .browse_sample import Piece, SampleView, VideoView
from .report_html import Markup, Picture, Section, write_page

STYLE = """
.frames { display: flex; flex-wrap: wrap; gap: 8px; }
.frames figure { margin: 0; font-size: 12px; line-height: 1.3; }
.frames img { width: auto; min-width: 48px; image-rendering: pixelated; display: block; }
.unit { display: flex; gap: 2px; border-bottom: 3px solid #2a6fb0; }
.text { margin-top: 1em; padding: .6em; background: #fafafa; white-space: pre-wrap;
        font: 14px/1.9 ui-monospace, monospace; }
.text span { color: #999; border-bottom: 1px solid #ddd; }
.text span.learned { color: #064; background: #d6f5dd; border-bottom-color: #0a6; }
.text span.odd { border-bottom-style: dotted; }
.text span.video { color: #fff; background: #2a6fb0; border-radius: 3px; padding: 0 .4em; }
"""

LEGEND = (
    "Frames are shown pixel for pixel as the model gets them; a blue line is under the frames that share their tokens. "
    "Text on green is learned, grey text is given; each underline is a token (its id shows under the pointer)."
)


def write_browse_page(
    path: str | Path,
    title: str,
    views: Sequence[SampleView],
    merges: Mapping[int, Sequence[Figure]] | None = None,
    note: str = "",
) -> None:
    """Write the page.

    Args:
        path: Where to.
        title: Of the page.
        views: The samples.
        merges: Pictures of what merging leaves of each video, by the sample's place in ``views``. Default: none.
        note: On the merges: whose weights they are.
    """
    sections = [Section("What is shown", [LEGEND, *([note] if note else [])])]
    sections += [_section(view, (merges or {}).get(place, ())) for place, view in enumerate(views)]
    write_page(path, title, sections, style=STYLE)


def _section(view: SampleView, merges: Sequence[Figure]) -> Section:
    title = f"{view.index}: {view.id} ({view.where})"
    if view.error:
        return Section(title, [Markup(f'<p class="warning">cannot be used: {escape(view.error)}</p>')])
    content: list[str | Picture | Markup] = [view.words()]
    for number, video in enumerate(view.videos):
        content += [f"Video {number}: {video.path}: {video.words()}", Markup(_frames(video))]
    content.append(Markup(f'<div class="text">{"".join(_piece(p, n, view) for n, p in enumerate(view.pieces))}</div>'))
    if view.answer:
        content.append(f"Reference answer: {view.answer}")
    alt = "Frames, and their patches after merging"
    content += [Picture(figure, alt, "What merging leaves of it.", "png") for figure in merges]
    return Section(title, content)


def _piece(piece: Piece, number: int, view: SampleView) -> str:
    if piece.video is not None:
        return f'<span class="video" title="{piece.ids[0]}">[video: {view.videos[piece.video].words()}]</span>'
    kinds = [name for name, there in (("learned", piece.learned), ("odd", number % 2)) if there]
    title = " ".join(map(str, piece.ids))
    return f'<span class="{" ".join(kinds)}" title="{title}">{escape(piece.text)}</span>'


def _frames(video: VideoView) -> str:
    """All frames, those of a unit together."""
    units = [(unit.frames, f"{unit.tokens} tokens") for unit in video.units]
    units = units or [((frame,), "") for frame in range(len(video.frames))]
    shown = []
    for frames, tokens in units:
        pictures = "".join(_frame(video, frame) for frame in frames)
        shown.append(f'<figure><div class="unit">{pictures}</div>{tokens}</figure>')
    return f'<div class="frames">{"".join(shown)}</div>'


def _frame(video: VideoView, frame: int) -> str:
    pixels = video.frames[frame]
    height, width = pixels.shape[:2]
    return (
        f'<figure><img width="{width}" height="{height}" alt="frame {frame}" src="{_png(pixels)}">'
        f"{video.seconds[frame]:.2f} s<br>{height}x{width}</figure>"
    )


def _png(pixels_HWC: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels_HWC)).save(buffer, "png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
