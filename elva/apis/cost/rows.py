"""How many rows enter each layer, found by letting reducers and merger work on rows of a few drawn channels."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch

from elva.models.mergers import Merger, Site
from elva.models.reducers import ReduceContext, TokenReducer, signals
from elva.models.tokenizers import VideoTokenizer
from elva.registry import MERGERS, REDUCERS
from elva.structures import FramePlan, SequenceState, VideoTokens
from elva.utils.flops import count_flops

from .drawn import CHANNELS, draw_context, draw_state, draw_tokens, drawn_view

Config = dict[str, Any]


class Rows(NamedTuple):
    """Of one sample.

    Attributes:
        tokens: Visual tokens that the tokenizer makes.
        reduced: Those that the reducers leave.
        layers: Rows that enter the attention of each layer, text included.
    """

    tokens: int
    reduced: int
    layers: tuple[int, ...]


class RowCounter:
    """Counts what a model's reducers and merger leave; they are built once more, a few channels wide.

    A reducer or merger that decides by content is counted on drawn rows, see :mod:`~elva.apis.cost.drawn`; on a calm
    video a merger with a limit reaches it.

    Args:
        model: Config of a ``VideoLLM``.
        tokenizer: The tokenizer, which is asked for its layout alone.
        depth: Layers of the language model.
    """

    def __init__(self, model: Config, tokenizer: VideoTokenizer, depth: int) -> None:
        self.tokenizer = tokenizer
        self.depth = depth
        self._merger: Config | None = model.get("merger")
        self._reducers: list[Config] = list(model.get("reducers") or ())
        self.merger = lru_cache(maxsize=None)(self._build_merger)
        self.reducers = lru_cache(maxsize=None)(self._build_reducers)

    @torch.no_grad()
    def count(
        self,
        plans: Sequence[FramePlan],
        text: int,
        ratio: float | None = None,
        merged: bool = True,
        reduced: bool = True,
    ) -> Rows:
        """Rows of one sample.

        Args:
            plans: The frames of each video.
            text: Text ids, one for each video among them.
            ratio: The merge ratio. Default: the config's own, or the merger has none.
            merged: False leaves the merger out.
            reduced: False leaves the reducers out.
        """
        visual, words = sum(self.tokenizer.count(plan) for plan in plans), text - len(plans)
        merger = self.merger(ratio) if merged else None
        reducing = bool(plans) and reduced and bool(self._reducers)
        if not plans or (merger is None and not reducing):
            return Rows(visual, visual, (words + visual,) * self.depth)
        tokens = self._reduced(plans, words, CHANNELS) if reducing else draw_tokens(self.tokenizer, plans)
        left = int(tokens.valid.sum())
        if merger is None:
            return Rows(visual, left, (words + left,) * self.depth)
        return Rows(visual, left, tuple(_run(merger, draw_state(tokens, words), self.depth)))

    @torch.no_grad()
    def reducer_flops(self, plans: Sequence[FramePlan], text: int, width: int) -> float:
        """FLOPs of the reducers at the model's width, from those at three small widths.

        The matrix products of a layer grow with the width at most squared; a parabola through three points is exact.
        """
        if not self._reducers or not plans:
            return 0.0
        words = text - len(plans)
        widths = [CHANNELS, 2 * CHANNELS, 3 * CHANNELS]
        counts = [count_flops(self._reduced, plans, words, narrow) for narrow in widths]
        powers = torch.tensor([[1.0, w, w * w] for w in widths], dtype=torch.float64)
        parabola = torch.linalg.solve(powers, torch.tensor(counts, dtype=torch.float64))
        return max(0.0, float(parabola @ torch.tensor([1.0, width, width**2], dtype=torch.float64)))

    def _reduced(self, plans: Sequence[FramePlan], words: int, channels: int) -> VideoTokens:
        reducers = self.reducers(channels)
        tokens = draw_tokens(self.tokenizer, plans, signals(reducers), channels)
        context: ReduceContext = draw_context(plans, words, any("clips" in r.requires for r in reducers), channels)
        for reducer in reducers:
            tokens = reducer(tokens, context)
        return tokens

    def _build_merger(self, ratio: float | None) -> Merger | None:
        if self._merger is None:
            return None
        config = self._merger if ratio is None else {**self._merger, "ratio": ratio}
        with torch.device("cpu"), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            merger: Merger = MERGERS.build_with(config, in_channels=CHANNELS).eval()
        return merger

    def _build_reducers(self, channels: int) -> list[TokenReducer]:
        with torch.device("cpu"), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return [REDUCERS.build_with(config, in_channels=channels).eval() for config in self._reducers]


def _run(merger: Merger, state: SequenceState, depth: int) -> list[int]:
    """Call the merger where the language model would."""
    sites = {Site(*site) for site in merger.sites(depth)}
    rows = []
    for layer in range(depth):
        for when in ("pre_attn", "post_attn", "post_layer"):
            if when == "post_attn":
                rows.append(state.h.shape[1])
            site = Site(layer, when)
            if site in sites:
                state = merger(state, site, drawn_view(state))
    return rows
