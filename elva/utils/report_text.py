"""Numbers and tables as a person reads them on a console."""

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
