"""How many rows enter each layer, found by letting the merger work on rows of one channel.

Legend: V videos, N visual tokens, B = 1 sample, L rows, C = 1 channel.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from elva.models.attention import AttnView
from elva.models.llms import assemble
from elva.models.llms.hf_decoder import own_mask
from elva.models.mergers import Merger, Site
from elva.models.tokenizers import VideoTokenizer
from elva.models.tokenizers.layout import layout_of, to_tokens
from elva.structures import Clip, FramePlan, SequenceState

_VIDEO = 0


def rows_per_layer(
    merger: Merger | None, tokenizer: VideoTokenizer, plans: Sequence[FramePlan], text: int, depth: int
) -> list[int]:
    """Rows of one sample that enter the attention of each layer, if all its frames look alike.

    A merger that decides by similarity then merges as much as it ever does; the count respects what it may not touch
    (text, ``FRAME`` rows, places that have no partner), as its ``schedule`` cannot. Tokenizers of another layout than
    ELVA's (without ``spec``) are counted by ``schedule``, or unmerged.

    Args:
        merger: The merger; None for none.
        tokenizer: The tokenizer, which is not run.
        plans: The frames of each video.
        text: Text ids, one for each video among them.
        depth: Layers of the language model.
    """
    visual = sum(tokenizer.count(plan) for plan in plans)
    words = text - len(plans)
    if merger is None or not plans:
        return [words + visual] * depth
    if not hasattr(tokenizer, "spec"):
        aimed = merger.schedule(visual, depth) or [visual] * depth
        return [words + rows for rows in aimed]
    return _run(merger, _state(tokenizer, plans, words), depth)


@torch.no_grad()
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
                state = merger(state, site, _view(state))
    return rows


def _state(tokenizer: VideoTokenizer, plans: Sequence[FramePlan], words: int) -> SequenceState:
    """A sequence of ones, described as the tokenizer would: the videos, then the words."""
    clips = []
    for plan in plans:
        pixels = (torch.empty(len(frames), 3, *size, device="meta") for size, frames in plan.groups().items())
        clips.append(Clip(plan, tuple(pixels)))
    layout = layout_of(clips, tokenizer.spec, torch.device("cpu"))  # type: ignore[arg-type]
    flat = torch.ones(sum(tokenizer.count(plan) for plan in plans), 1, 1)
    tokens = to_tokens([flat], clips, layout)
    ids = torch.cat((torch.full((1, len(plans)), _VIDEO), torch.full((1, words), _VIDEO + 1)), 1)
    return assemble(_ones, ids, torch.ones_like(ids, dtype=torch.bool), tokens, _VIDEO).state


def _ones(ids: Tensor) -> Tensor:
    return torch.ones(*ids.shape, 1)


def _view(state: SequenceState) -> AttnView:
    """A layer in which every row is like every other."""
    one = state.h[:, None]
    return AttnView(lambda x: x, lambda: (one, one, own_mask(state), 1.0), lambda name, value: None)
