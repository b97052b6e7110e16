"""Pictures: charts of trainings and tests, merged patches drawn on frames, pages that hold them."""

from .merge_strip import ClipTrace, MergeStep, draw_strip, trace_clip
from .plots import accuracy_bars, loss_curves, tokens_per_layer
from .report_html import Picture, Section, Table, write_page
from .training_log import read_scalars, series

__all__ = [
    "ClipTrace",
    "MergeStep",
    "Picture",
    "Section",
    "Table",
    "accuracy_bars",
    "draw_strip",
    "loss_curves",
    "read_scalars",
    "series",
    "tokens_per_layer",
    "trace_clip",
    "write_page",
]
