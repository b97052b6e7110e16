"""The cost of a sample as a person reads it, with the sums behind it."""

from collections.abc import Mapping, Sequence
from typing import Any

from elva.utils.flops import layer_weights
from elva.utils.report_text import amount, spans, table, wrapped

from .model import CostModel, SampleCost


def cost_report(cost: CostModel, found: Mapping[str, SampleCost], notes: Sequence[str] = ()) -> str:
    """A table of FLOPs by part, tokens and rows by layer, and the arithmetic of the last column.

    Args:
        cost: The model.
        found: What :func:`~elva.apis.cost.variants.variants` found.
        notes: More sentences.
    """
    last = list(found.values())[-1]
    parts = [(part, *(amount(each.flops.get(part, 0.0), "FLOPs") for each in found.values())) for part in last.flops]
    totals = [("all", *(amount(each.total, "FLOPs") for each in found.values()))]
    tokens = [
        ("visual tokens", *(f"{each.tokens:,}" for each in found.values())),
        ("... into the language model", *(f"{each.reduced:,}" for each in found.values())),
    ]
    rows = [("", "layer: rows"), *((name, spans(each.rows)) for name, each in found.items())]
    said = [*_arithmetic(cost, last), *_measured(cost), *notes]
    blocks = [table([("", *found), *parts, *totals, *tokens]), table(rows, "<<"), *(wrapped(line) for line in said)]
    return "\n".join(blocks)


def cost_json(found: Mapping[str, SampleCost]) -> dict[str, Any]:
    """The same as plain values."""
    return {
        name: {
            "flops": each.flops,
            "flops_total": each.total,
            "tokens": each.tokens,
            "tokens_reduced": each.reduced,
            "rows_per_layer": list(each.rows),
        }
        for name, each in found.items()
    }


def _arithmetic(cost: CostModel, last: SampleCost) -> list[str]:
    attention, mlp, width = layer_weights(cost.llm)[0]
    total, squares = sum(last.rows), sum(rows**2 for rows in last.rows)
    flops = last.flops
    return [
        f"Attention: 2 x {amount(attention, billion='B')} weights x {total:,} rows over {cost.llm.depth} layers "
        f"+ 4 x {width:,} x {squares:,} (rows squared) = {amount(flops['attention'], 'FLOPs')}.",
        f"MLP: 2 x {amount(mlp, billion='B')} weights x {total:,} rows = {amount(flops['mlp'], 'FLOPs')}.",
        f"Tokenizer ({type(cost.model.tokenizer).__name__}): counted by PyTorch on the meta device, "
        f"{amount(flops['tokenizer'], 'FLOPs')}; head: one row.",
    ]


def _measured(cost: CostModel) -> list[str]:
    """What was counted on drawn rows."""
    adaptive = [type(part).__name__ for part in cost.model.reducers if part.adaptive]
    merger = cost.model.merger
    if merger is not None and merger.schedule(1000, cost.llm.depth) is None:
        adaptive.append(type(merger).__name__)
    if not adaptive:
        return []
    return [
        f"What {' and '.join(adaptive)} leaves depends on the content: counted on a drawn, calm video. With a video "
        "and a checkpoint it is counted as it is."
    ]
