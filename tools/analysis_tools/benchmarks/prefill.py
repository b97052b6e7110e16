"""Does merging make a prefill as much faster as its FLOPs promise?"""

from statistics import median

import torch

from elva.models.llms import HFDecoder, KVCache, Trace
from elva.models.mergers import HierarchicalTemporalMerger, Merger, NoMerge
from elva.structures import SequenceState
from elva.utils.flops import decoder_flops

from .result import Result
from .sequences import random_decoder, video_sequence
from .timing import interleaved, median_ratio


def prefill(rows: int = 4096, width: int = 512, depth: int = 12, rounds: int = 5) -> list[Result]:
    """Prefill of a random Qwen2-layout model, merged twice by half, against ``NoMerge``.

    Args:
        rows: Of the sequence, visual but for a last few.
        width: Of the model.
        depth: Its layers; merging is before those at depth / 14 and depth / 4.5.
        rounds: Turns of each.
    """
    llm, state = random_decoder(width, depth), video_sequence(rows, width)
    merger = HierarchicalTemporalMerger(layers=(max(1, round(depth / 14)), max(2, round(depth / 4.5))))
    promised = _flops(llm, state, NoMerge()) / _flops(llm, state, merger)
    seconds = interleaved(
        {"plain": lambda: run_prefill(llm, state, NoMerge()), "merged": lambda: run_prefill(llm, state, merger)}, rounds
    )
    faster = median_ratio(seconds["plain"], seconds["merged"])
    details = {
        "speed-up": faster,
        "promised by FLOPs": promised,
        "seconds plain": median(seconds["plain"]),
        "seconds merged": median(seconds["merged"]),
    }
    return [Result(f"prefill of {rows:,} rows: speed-up / promise", faster / promised, 0.85, True, details)]


@torch.no_grad()
def run_prefill(llm: HFDecoder, state: SequenceState, merger: Merger, trace: Trace | None = None) -> None:
    """One prefill: every layer, with its cache, and the logits of the last row."""
    last = llm(state, merger, cache=KVCache.empty(llm.depth), trace=trace).h[:, -1]
    llm.logits(last)


def _flops(llm: HFDecoder, state: SequenceState, merger: Merger) -> float:
    trace = Trace()
    run_prefill(llm, state, merger, trace)
    return sum(decoder_flops(llm, trace.tokens_per_layer(), logit_rows=1).values())
