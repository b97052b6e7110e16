"""Visual tokens of a few drawn channels, described as the tokenizer would: enough to let reducers and mergers count.

Each place has a direction of its own, and changes a little from frame to frame: successive frames are alike to a
cosine of about 0.9, as those of a calm video are.

Legend: V videos, N visual tokens, L rows, C channels, T text ids.
"""

import math
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from elva.models.attention import AttnView
from elva.models.llms import assemble
from elva.models.llms.hf_decoder import own_mask
from elva.models.reducers import ReduceContext
from elva.models.tokenizers import VideoTokenizer
from elva.models.tokenizers.layout import LayoutSpec, layout_of, to_tokens
from elva.structures import Clip, FramePlan, SequenceState, VideoTokens

CHANNELS = 32
"""As many as the contract suites give to reducers and mergers."""

NOISE = 0.3
"""Of the change from frame to frame, relative to what stays."""

_VIDEO = 0


def draw_tokens(
    tokenizer: VideoTokenizer, plans: Sequence[FramePlan], signals: Collection[str] = (), channels: int = CHANNELS
) -> VideoTokens:
    """Tokens of clips with these plans.

    Args:
        tokenizer: It is asked for its layout alone. One without ``spec`` is taken to give patches alone, the same
            number for each frame (all in one line if they make no square).
        plans: One a clip.
        signals: ``'attn'`` and ``'keys'``, if they are to be drawn as well.
        channels: C.
    """
    spec, plans = _layout(tokenizer, plans)
    clips = [Clip(plan, tuple(_empty(plan))) for plan in plans]
    layout = layout_of(clips, spec, torch.device("cpu"))
    random = torch.Generator().manual_seed(0)
    total = int(layout.valid.sum())
    tokens = to_tokens([torch.zeros(total, 1, 1)], clips, layout)
    place_SC = torch.randn(int(tokens.slot.max()) + 2, channels, generator=random)  # the last is that of slot -1
    x = place_SC[tokens.slot] + NOISE * torch.randn(*tokens.slot.shape, channels, generator=random)
    fields = {"x": x.masked_fill(~tokens.valid[..., None], 0)}
    if "keys" in signals:
        fields["keys"] = fields["x"]
    if "attn" in signals:
        fields["attn"] = torch.rand(tokens.slot.shape, generator=random).masked_fill(~tokens.reducible, 0)
    return tokens.replace(**fields)


def draw_context(plans: Sequence[FramePlan], words: int, pixels: bool, channels: int = CHANNELS) -> ReduceContext:
    """Text embeddings, and frames if ``pixels``, for reducers that look at them."""
    random = torch.Generator().manual_seed(1)
    text_VTC = torch.randn(1, max(1, words), channels, generator=random).expand(len(plans), -1, -1)
    clips = []
    for plan in plans:
        groups = _drawn(plan, random) if pixels else _empty(plan)
        clips.append(Clip(plan, tuple(groups)))
    return ReduceContext(text_VTC, torch.ones(text_VTC.shape[:2], dtype=torch.bool), clips, lambda pixels: pixels)


def draw_state(tokens: VideoTokens | None, words: int) -> SequenceState:
    """The sequence of one sample: its videos, then ``words`` rows of text."""
    videos, channels = (0, CHANNELS) if tokens is None else (len(tokens.x), tokens.x.shape[2])
    ids = torch.cat((torch.full((1, videos), _VIDEO), torch.full((1, words), _VIDEO + 1)), 1)
    random = torch.Generator().manual_seed(2)

    def embed(ids: Tensor) -> Tensor:
        return torch.randn(*ids.shape, channels, generator=random)

    return assemble(embed, ids, torch.ones_like(ids, dtype=torch.bool), tokens, _VIDEO).state


def drawn_view(state: SequenceState) -> AttnView:
    """A layer of one head whose queries and keys are the rows themselves."""
    one = state.h[:, None]
    return AttnView(lambda x: x, lambda: (one, one, own_mask(state), 1 / state.h.shape[2]), lambda name, value: None)


def _layout(tokenizer: VideoTokenizer, plans: Sequence[FramePlan]) -> tuple[LayoutSpec, list[FramePlan]]:
    """How tokens lie, and plans that a layout of this kind counts as the tokenizer does."""
    spec = getattr(tokenizer, "spec", None)
    if isinstance(spec, LayoutSpec):
        return spec, list(plans)
    return LayoutSpec(1, frame_token=False, line_token=False), [_flat(tokenizer.count(plan), plan) for plan in plans]


def _flat(count: int, plan: FramePlan) -> FramePlan:
    """So many tokens, as frames of one pixel a patch; a rest that does not divide among the frames is a frame more."""
    each, rest = divmod(count, len(plan))
    sizes = [_grid(each)] * len(plan) if each else []
    sizes += [_grid(rest)] if rest else []
    return FramePlan(tuple(float(index) for index in range(len(sizes))), tuple(sizes))


def _grid(tokens: int) -> tuple[int, int]:
    side = math.isqrt(tokens)
    return (side, side) if side**2 == tokens else (1, tokens)


def _empty(plan: FramePlan) -> list[Tensor]:
    return [torch.empty(len(frames), 3, *size, device="meta") for size, frames in plan.groups().items()]


def _drawn(plan: FramePlan, random: torch.Generator) -> list[Tensor]:
    """A still picture of each size, with a little noise in each frame; from 0 to 1."""
    groups = []
    for size, frames in plan.groups().items():
        still = torch.rand(3, *size, generator=random)
        groups.append((still + 0.1 * NOISE * torch.randn(len(frames), 3, *size, generator=random)).clamp(0, 1))
    return groups
