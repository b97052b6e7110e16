"""Sequences and language models to measure with.

Legend: N visual tokens, L rows, C channels.
"""

import torch
from torch import Tensor

from elva.models.llms import HFDecoder, assemble
from elva.models.tokenizers.layout import LayoutSpec, count_tokens, layout_of, to_tokens
from elva.structures import Clip, FramePlan, SequenceState

GRID = (9, 13)
"""Rows and columns of patches: with ``FRAME`` and ``LINE`` 127 tokens a frame."""

TOKENS_A_FRAME = 127
_PATCH = 16


def video_sequence(rows: int, width: int, seed: int = 0) -> SequenceState:
    """A sequence of ``rows`` rows: frames of 127 tokens, then text.

    Tokens of one place are alike (cosine about 0.8 between successive frames), as those of a calm video are: a merger
    that goes by similarity finds what to merge.

    Args:
        rows: At least 128 for one frame.
        width: C.
        seed: Of the random features.
    """
    frames = rows // (TOKENS_A_FRAME + 1)
    size = (GRID[0] * _PATCH, GRID[1] * _PATCH)
    plan = FramePlan(tuple(float(t) for t in range(frames)), (size,) * frames)
    spec = LayoutSpec(_PATCH)
    clip = Clip(plan, (torch.empty(frames, 3, *size, device="meta"),))
    layout = layout_of([clip], spec, torch.device("cpu"))
    generator = torch.Generator().manual_seed(seed)
    place_1nC = torch.randn(1, TOKENS_A_FRAME, width, generator=generator)
    noise_TnC = torch.randn(frames, TOKENS_A_FRAME, width, generator=generator)
    tokens = to_tokens([place_1nC + noise_TnC / 2], [clip], layout)
    ids = torch.ones(1, rows - count_tokens(plan, spec) + 1, dtype=torch.long)
    ids[0, 0] = 0  # the video
    text_TC = torch.randn(ids.shape[1], width, generator=generator)

    def embed(ids_BT: Tensor) -> Tensor:
        return text_TC.expand(*ids_BT.shape, -1)

    return assemble(embed, ids, torch.ones_like(ids, dtype=torch.bool), tokens, video_id=0).state


def random_decoder(width: int, depth: int, sharing: int = 1) -> HFDecoder:
    """A random decoder of Qwen2's layout: heads of 64 channels, an MLP four times as wide; 1,000 words.

    Args:
        width: C.
        depth: Layers.
        sharing: Heads that share keys and values.
    """
    heads = max(1, width // 64)
    shape = {
        "model_type": "qwen2",
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": depth,
        "num_attention_heads": heads,
        "num_key_value_heads": max(1, heads // sharing),
        "vocab_size": 1000,
    }
    torch.manual_seed(0)
    return HFDecoder(config=shape).eval()
