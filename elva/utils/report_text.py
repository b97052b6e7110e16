"""Numbers and tables as a person reads them on a console."""

import textwrap
from collections.abc import Sequence

_STEPS = ("", "k", "M", "G", "T", "P", "E")


def amount(value: float, unit: str = "", billion: str = "G") -> str:
    """``value`` with three digits and a prefix: ``amount(7.6e9, 'FLOPs')`` is ``'7.60 GFLOPs'``.

    Args:
        value: Not negative.
        unit: Follows the prefix.
        billion: The prefix of 1e9: parameters are counted in ``'B'``.
    """
    step = 0
    while value >= 999.5 and step < len(_STEPS) - 1:
        value, step = value / 1000, step + 1
    digits = 0 if step == 0 and value == round(value) else 2 if value < 9.995 else 1 if value < 99.95 else 0
    prefix = billion if _STEPS[step] == "G" else _STEPS[step]
    return f"{value:.{digits}f} {prefix}{unit}".rstrip()


def gibibytes(value: float) -> str:
    """Bytes as ``'12.3 GiB'``, or in MiB below a tenth of that."""
    return f"{value / 2**30:,.1f} GiB" if value >= 0.1 * 2**30 else f"{value / 2**20:,.1f} MiB"


def table(rows: Sequence[Sequence[str]], align: str = "", indent: int = 2) -> str:
    """Rows of cells in columns, the first row being the header.

    Args:
        rows: Of equal length.
        align: One character a column, ``'<'`` or ``'>'``. Default: the first to the left, the others to the right.
        indent: Spaces before each line.
    """
    align = align or "<" + ">" * (len(rows[0]) - 1)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    ruled = [rows[0], ["-" * width for width in widths], *rows[1:]]
    lines = ("  ".join(f"{cell:{a}{w}}" for cell, a, w in zip(row, align, widths, strict=True)) for row in ruled)
    return "\n".join(" " * indent + line.rstrip() for line in lines)


def with_notes(rows: Sequence[Sequence[str]], notes: Sequence[str], align: str = "") -> str:
    """A table, and sentences below it."""
    return "\n".join([table(rows, align), *(wrapped(note) for note in notes)])


def wrapped(note: str, bullet: str = "") -> str:
    """A sentence in lines of at most 100 characters, indented as tables are."""
    first, others = f"  {bullet}", " " * (2 + len(bullet))
    return textwrap.fill(note, 100, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)


def spans(rows: Sequence[float]) -> str:
    """Rows by layer, equal neighbours together: ``'0-1: 5,024   2-5: 2,512'``."""
    starts = [layer for layer, n in enumerate(rows) if layer == 0 or n != rows[layer - 1]]
    ends = [*starts[1:], len(rows)]
    words = [f"{a}" if b - a == 1 else f"{a}-{b - 1}" for a, b in zip(starts, ends, strict=True)]
    return "   ".join(f"{span}: {rows[start]:,.0f}" for span, start in zip(words, starts, strict=True))
