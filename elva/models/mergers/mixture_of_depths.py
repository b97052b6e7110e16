"""Mixture of depths: in every other layer most visual rows skip the layer, and are back after it.

Legend: B batch, L rows, M rows that run, C channels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from elva.models.attention.view import AttnView
from elva.registry import MERGERS
from elva.structures import SequenceState

from .base import Merger, Site, When, check_layers
from .ranking import droppable
from .similarity import check_ratio, rows_left


class Detour(NamedTuple):
    """What a routed layer leaves in ``state.memo`` for its end.

    Attributes:
        state: All rows, as they came to the layer.
        runs: (B, L) bool, those of them that run it.
        entering: (B, M, C) the rows that run it, as they came.
    """

    state: SequenceState
    runs: Tensor
    entering: Tensor


@MERGERS.register_module()
class MixtureOfDepths(Merger):
    r"""Lets a learned router choose, frame by frame, which visual rows run a layer; the others skip it unchanged.

    Each routed layer has a router :math:`w` that scores a row by :math:`\mu = w \cdot h`. Of each frame's rows the
    best :math:`\lceil (1 - ratio)\, n_f \rceil` run the layer; rows that skip it leave no keys and values there. With
    ``gated``, a visual row that runs it moves by :math:`h \leftarrow h + \mu\,(layer(h) - h)`, which is how the router
    learns. Text and ``FRAME`` rows run every layer in full. Choosing frame by frame, not over the whole sequence, keeps
    the choice causal: a video that comes in chunks of whole frames gives the same numbers.

    Source: VideoLLM-MoD (arXiv 2408.16730), from its summary (no code is published): interleaved layers, a fifth of
    the rows, hence 0.6 of the visual compute. That the odd layers are routed, and how routers start (normal, 0.02),
    is chosen here.

    Args:
        in_channels: Width of the language model; the model's builder gives it.
        layers: Routed layers. Default: every other one of 28, from layer 1 on.
        ratio: Share of a frame's rows that skip a routed layer. Default: 0.8.
        gated: Weigh what a layer does by the router's score. Without, the router has no gradient and is not trained.
            Default: True.

    Raises:
        ValueError: If ``ratio`` is not in [0, 0.99], or ``layers`` name one twice.
    """

    identity = ({"ratio": 0.0, "gated": False},)

    def __init__(
        self, in_channels: int, layers: Sequence[int] = tuple(range(1, 28, 2)), ratio: float = 0.8, gated: bool = True
    ) -> None:
        super().__init__()
        if len(set(layers)) < len(layers) or not layers:
            raise ValueError(f"MixtureOfDepths: layers={list(layers)} must name at least one, and none twice")
        self.layers = tuple(layers)
        self.ratio = check_ratio("MixtureOfDepths", ratio, most=0.99)
        self.gated = gated
        self.router = nn.Parameter(torch.empty(len(layers), in_channels), requires_grad=gated)
        nn.init.normal_(self.router, std=0.02)

    def sites(self, depth: int) -> Sequence[tuple[int, When]]:
        """Before and after each of ``layers``."""
        check_layers("MixtureOfDepths", self.layers, depth)
        return [site for layer in self.layers for site in ((layer, "pre_attn"), (layer, "post_layer"))]

    def forward(self, state: SequenceState, site: Site, attn: AttnView | None = None) -> SequenceState:
        """Before a layer, take out the rows that skip it; after it, put them back."""
        del attn
        layer, when = site
        if when == "pre_attn":
            return self._leave(state, layer)
        detour = state.memo.get("MixtureOfDepths")
        return state if detour is None else self._come_back(state, detour, layer)

    def schedule(self, n_visual: int, depth: int) -> list[int]:
        """What a routed layer aims at; each frame rounds it up, and its ``FRAME`` row runs in any case."""
        few = int(rows_left(torch.tensor(n_visual), self.ratio))
        return [few if layer in self.layers else n_visual for layer in range(depth)]

    def _score(self, h: Tensor, layer: int) -> Tensor:
        """(B, L) float32 router scores of rows (B, L, C)."""
        with torch.autocast(h.device.type, enabled=False):
            return h.float() @ self.router[self.layers.index(layer)].float()

    def _leave(self, state: SequenceState, layer: int) -> SequenceState:
        with torch.no_grad():
            routed_BL = droppable(state)
            best_BL = best_of_each_frame(self._score(state.h, layer), state.frame, routed_BL, self.ratio)
            runs_BL = state.valid & (best_BL | ~routed_BL)
        few = state.select(runs_BL)
        if few is state and not self.gated:
            return state
        return few.replace(memo={**state.memo, "MixtureOfDepths": Detour(state, runs_BL, few.h)})

    def _come_back(self, few: SequenceState, detour: Detour, layer: int) -> SequenceState:
        h_BMC = few.h
        if self.gated:
            mu_BM1 = self._score(detour.entering, layer)[..., None].to(h_BMC.dtype)
            moved_BMC = detour.entering + mu_BM1 * (h_BMC - detour.entering)
            h_BMC = torch.where(droppable(few)[..., None], moved_BMC, h_BMC)
        return detour.state.replace(h=put_back(h_BMC, detour.state.h, detour.runs))


def best_of_each_frame(score_BL: Tensor, frame_BL: Tensor, routed_BL: Tensor, ratio: float) -> Tensor:
    """(B, L) bool: the best ``1 - ratio`` of the routed rows of each frame, rounded up; the earlier wins a tie.

    Rows that span frames (``frame`` -1) count as a frame of their own.
    """
    nowhere = torch.iinfo(torch.long).max
    frame_BL = frame_BL.masked_fill(~routed_BL, nowhere)
    best_BL = score_BL.argsort(dim=1, descending=True, stable=True)
    sorted_BL, at_BL = frame_BL.gather(1, best_BL).sort(dim=1, stable=True)  # frame by frame, the best first
    order_BL = best_BL.gather(1, at_BL)
    start_BL = torch.searchsorted(sorted_BL, sorted_BL)
    size_BL = torch.searchsorted(sorted_BL, sorted_BL, right=True) - start_BL
    place_BL = torch.arange(sorted_BL.shape[1], device=sorted_BL.device) - start_BL
    chosen_BL = (place_BL < rows_left(size_BL, ratio)) & (sorted_BL != nowhere)
    return torch.zeros_like(routed_BL).scatter(1, order_BL, chosen_BL)


def put_back(few_BMC: Tensor, all_BLC: Tensor, runs_BL: Tensor) -> Tensor:
    """(B, L, C) ``all_BLC`` with its rows ``runs_BL`` replaced by ``few_BMC``, in their order."""
    batch, most = few_BMC.shape[:2]
    first_B1 = torch.arange(batch, device=runs_BL.device)[:, None] * most
    at_BL = (runs_BL.cumsum(1) - 1).clamp(min=0) + first_B1
    back_BLC = few_BMC.flatten(0, 1).index_select(0, at_BL.flatten()).view_as(all_BLC)
    return torch.where(runs_BL[..., None], back_BLC, all_BLC)
