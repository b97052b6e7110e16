"""What tests of mergers that rank rows share."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from elva.models.llms import HFDecoder, assemble
from elva.structures import SequenceState
from elva.testing import draw_video, tiny_decoder
from elva.testing.builders import VIDEO_ID, Grid


@pytest.fixture
def bare_prompt() -> Callable[..., SequenceState]:
    """A function of grids: three text rows, the patches of one frame of each grid and nothing else, two text rows."""

    def make(*frames: Grid, depth: int = 4) -> SequenceState:
        ids = torch.tensor([[1, 2, 3, VIDEO_ID, 4, 5]])
        video = draw_video(frames, delimiters=False)
        return assemble(tiny_decoder(depth).embed, ids, torch.ones_like(ids, dtype=torch.bool), video, VIDEO_ID).state

    return make


@pytest.fixture
def dense_attention() -> Callable[[HFDecoder, SequenceState], list[Tensor]]:
    """A function that gives transformers' own attention of each layer, (L, L), mean over heads, of one sample."""

    def attention(llm: HFDecoder, state: SequenceState) -> list[Tensor]:
        model = copy.deepcopy(llm.model)
        model.set_attn_implementation("eager")
        with torch.no_grad():
            return [layer[0].mean(0) for layer in model(inputs_embeds=state.h, output_attentions=True).attentions]

    return attention
