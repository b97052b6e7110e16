"""One HTML file with everything in it: text, tables and pictures, nothing to fetch from elsewhere."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
       max-width: 1000px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; } h2 { font-size: 1.2em; margin: 2em 0 .3em; border-top: 1px solid #ddd; padding-top: 1em; }
img { width: 100%; height: auto; } figure { margin: 1em 0 2em; } figcaption { color: #444; }
table { border-collapse: collapse; } td, th { padding: .2em 1em .2em 0; text-align: right; }
td:first-child, th:first-child, .text td, .text th { text-align: left; vertical-align: top; }
th { border-bottom: 1px solid #999; font-weight: 600; }
.warning { background: #fff3cd; border-left: 4px solid #e0a800; padding: .6em 1em; }
code { background: #f4f4f4; padding: 0 .2em; }
"""


@dataclass(frozen=True)
class Picture:
    """A figure with its text.

    Attributes:
        figure: What is shown.
        alt: What it shows, for those who cannot see it.
        caption: The text under it; lines are kept.
        kind: ``'svg'`` for charts, ``'png'`` for what is made of pixels.
    """

    figure: Figure
    alt: str
    caption: str = ""
    kind: str = "svg"


@dataclass(frozen=True)
class Table:
    """Rows of cells; the first row is the header.

    Attributes:
        rows: Of equal length.
        text: Whether the cells hold text, which begins on the left; else all but the first hold numbers.
    """

    rows: Sequence[Sequence[str]]
    text: bool = False


@dataclass(frozen=True)
class Markup:
    """HTML as it is; whoever makes one escapes what others wrote."""

    html: str


@dataclass(frozen=True)
class Section:
    """A headline and what stands under it, paragraphs as plain strings."""

    title: str
    content: Sequence[str | Picture | Table | Markup]


def write_page(path: str | Path, title: str, sections: Sequence[Section], warning: str = "", style: str = "") -> None:
    """Write the file.

    Args:
        path: Where to.
        title: Of the page.
        sections: In order.
        warning: Shown at the top, set off from the rest. Default: none.
        style: CSS beside the page's own. Default: none.
    """
    parts = [f"<h1>{escape(title)}</h1>"]
    if warning:
        parts.append(f'<p class="warning">{escape(warning)}</p>')
    for section in sections:
        parts.append(f"<h2>{escape(section.title)}</h2>")
        parts += [_html(item) for item in section.content]
    body = "\n".join(parts)
    Path(path).write_text(
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n",
        encoding="utf-8",
    )


def _html(item: str | Picture | Table | Markup) -> str:
    if isinstance(item, Markup):
        return item.html
    if isinstance(item, str):
        return f"<p>{escape(item)}</p>"
    if isinstance(item, Table):
        head, *rows = item.rows
        lines = [_row(head, "th"), *(_row(row, "td") for row in rows)]
        kind = ' class="text"' if item.text else ""
        return f"<table{kind}>\n" + "\n".join(lines) + "\n</table>"
    caption = escape(item.caption).replace("\n", "<br>")
    return (
        f'<figure><img alt="{escape(item.alt)}" src="{data_uri(item.figure, item.kind)}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def data_uri(figure: Figure, kind: str) -> str:
    """The figure as a ``data:`` address. As an image, an SVG cannot clash with the ids of another one in the page.

    Args:
        figure: What to draw.
        kind: ``'svg'`` or ``'png'``.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=120)
    mime = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    return f"data:{mime};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
