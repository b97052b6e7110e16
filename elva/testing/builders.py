"""Small language models and prompts with videos in them, made by hand: no file, no video tokenizer.

Legend: V videos, N visual tokens, B samples, T text ids, L rows, C channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from elva.models.llms import Assembly, HFDecoder, assemble
from elva.structures import Kind, SequenceState, SourceMap, VideoTokens

Grid = tuple[int, int]
Part = int | Sequence[Grid]
"""A piece of a prompt: so many text ids, or a video of frames with these grids (rows, columns of patches)."""

VIDEO_ID = 96
VOCABULARY = 97
CHANNELS = 32

SHAPES: dict[str, Any] = dict(
    vocab_size=VOCABULARY,
    hidden_size=CHANNELS,
    intermediate_size=48,
    num_attention_heads=4,
    num_key_value_heads=2,
    initializer_range=0.15,  # at the usual 0.02 a tiny model's attention is all but uniform, and hides mistakes
    tie_word_embeddings=False,
)


@lru_cache(maxsize=64)
def tiny_decoder(
    depth: int = 4,
    family: str = "qwen2",
    attention: str = "sdpa",
    frame_mask: str = "causal",
    window: int | None = None,
    seed: int = 0,
) -> HFDecoder:
    """A language model of random weights, 32 channels wide, in evaluation mode; shared between callers: do not change.

    Args:
        depth: Layers. Default: 4.
        family: A transformers ``model_type``. Default: ``'qwen2'``.
        attention: Name in ``ATTENTIONS``. Default: ``'sdpa'``.
        frame_mask: ``'causal'`` or ``'bidirectional'``. Default: causal.
        window: Sliding window of every layer (for Mistral). Default: none.
        seed: Of the weights. Default: 0.
    """
    config = {**SHAPES, "model_type": family, "num_hidden_layers": depth}
    if family != "qwen2":
        config["head_dim"] = 8  # others have a default of their own
    if family == "mistral":
        config["sliding_window"] = window
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        llm = HFDecoder(config=config, attention=attention, frame_mask=frame_mask).eval()
        for parameter in llm.parameters():
            if parameter.ndim == 1:  # norms and biases start as ones and zeros, which hides mistakes as well
                parameter.data += 0.1 * torch.randn_like(parameter)
    return llm.requires_grad_(False)


def draw_video(
    frames: Sequence[Grid], noise: float = 0.8, channels: int = CHANNELS, seed: int = 0, delimiters: bool = True
) -> VideoTokens:
    """The tokens of one video: ``FRAME``, then each row of patches followed by its ``LINE``, for each frame.

    With attention (each frame's adds up to 1 over its patches) and keys, as a tokenizer gives when asked.

    Args:
        frames: Rows and columns of each frame's patch grid.
        noise: How far a place changes from frame to frame; at 0 the video stands still, at 0.8 cosines are about 0.6.
        channels: Width.
        seed: Of the features.
        delimiters: Whether there are ``FRAME`` and ``LINE`` tokens, or patches alone. Default: True.
    """
    random, other = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(~seed)
    grids = list(dict.fromkeys(frames))
    still = [torch.randn(h * (w + 1) + 1, channels, generator=random) for h, w in grids]
    starts = [sum(h * (w + 1) for h, w in grids[:index]) for index in range(len(grids))]
    rows: list[dict[str, Tensor]] = []
    for time, grid in enumerate(frames):
        index, (height, width) = grids.index(grid), grid
        place = torch.arange(height * (width + 1))
        row, column = place // (width + 1), place % (width + 1)
        kind = torch.where(column == width, int(Kind.LINE), int(Kind.PATCH))
        x = still[index] + noise * torch.randn(still[index].shape, generator=random)
        rows.append(
            {
                "x": x,
                "pos": torch.cat((_centre(time, grid), torch.stack((place * 0 + time, row, column), 1))),
                "slot": torch.cat((torch.tensor([-1]), place + starts[index])),
                "kind": torch.cat((torch.tensor([int(Kind.FRAME)]), kind)),
                "frame": torch.full((len(x),), time),
                "grid": torch.tensor(grid).expand(len(x), 2),
                "keys": torch.randn(len(x), 8, generator=other),
            }
        )
        patch = rows[-1]["kind"] == Kind.PATCH
        weight = torch.randn(len(x), generator=other).masked_fill(~patch, float("-inf"))
        rows[-1]["attn"] = weight.softmax(0)
        if not delimiters:
            rows[-1] = {name: values[patch] for name, values in rows[-1].items()}
    _to_finest(rows, grids)
    fields = {name: torch.cat([row[name] for row in rows])[None] for name in rows[0]}
    valid = torch.ones(fields["kind"].shape, dtype=torch.bool)
    return VideoTokens(
        seconds=fields["frame"].float(), size=valid.float(), valid=valid, src=SourceMap.identity(valid), **fields
    )


def _centre(time: int, grid: Grid) -> Tensor:
    return torch.tensor([[time, (grid[0] - 1) / 2, (grid[1] - 1) / 2]])


def _to_finest(rows: Sequence[dict[str, Tensor]], grids: Sequence[Grid]) -> None:
    """Count rows and columns in the cells of the finest grid."""
    fine = torch.tensor([max(h for h, _ in grids), max(w for _, w in grids)])
    for row in rows:
        row["pos"][:, 1:] = (row["pos"][:, 1:] + 0.5) * fine / row["grid"] - 0.5


def stack_videos(videos: Sequence[VideoTokens]) -> VideoTokens:
    """Videos of any lengths as one batch, padded on the right."""
    pad = {"frame": -1, "slot": -1, "kind": int(Kind.PAD)}

    def join(name: str) -> Tensor:
        parts = [getattr(video, name)[0] for video in videos]
        return pad_sequence(parts, batch_first=True, padding_value=pad.get(name, 0))

    names = ("x", "pos", "seconds", "size", "frame", "slot", "grid", "kind", "valid", "attn", "keys")
    fields = {name: join(name) for name in names}
    return VideoTokens(src=SourceMap.identity(fields["valid"]), **fields)


@dataclass(frozen=True)
class Prompt:
    """A batch that is ready for the language model, and what it was made from.

    Attributes:
        ids: (B, T) long text ids, ``VIDEO_ID`` for each video, padded on the right.
        valid: (B, T) bool.
        tokens: Of all videos of the batch; None if there are none.
        assembly: What ``assemble`` made of them.
    """

    ids: Tensor
    valid: Tensor
    tokens: VideoTokens | None
    assembly: Assembly

    @property
    def state(self) -> SequenceState:
        """The sequence."""
        return self.assembly.state


def make_prompt(
    llm: HFDecoder,
    samples: Sequence[Sequence[Part]],
    noise: float = 0.8,
    seed: int = 0,
    start_B: Tensor | None = None,
) -> Prompt:
    """Assemble samples such as ``(3, [(2, 2)] * 4, 2)``: three ids, a video of four frames of 2 x 2 patches, two ids.

    Args:
        llm: Embeds the ids.
        samples: One sequence of parts a sample.
        noise: See :func:`draw_video`.
        seed: Of ids and features. A part's content depends on its place in ``samples`` alone.
        start_B: (B,) positions at which the samples start, where they continue a cache. Default: 0.
    """
    ids, videos = [], []
    for index, sample in enumerate(samples):
        pieces = []
        for place, part in enumerate(sample):
            own = 1000 * seed + 100 * index + place
            if isinstance(part, int):
                random = torch.Generator().manual_seed(own)
                pieces.append(torch.randint(VIDEO_ID, (part,), generator=random))
            else:
                pieces.append(torch.tensor([VIDEO_ID]))
                videos.append(draw_video(part, noise, llm.hidden_size, own))
        ids.append(torch.cat(pieces))
    valid = pad_sequence([torch.ones(len(i), dtype=torch.bool) for i in ids], batch_first=True)
    padded = pad_sequence(ids, batch_first=True)
    tokens = stack_videos(videos) if videos else None
    assembly = assemble(llm.embed, padded, valid, tokens, VIDEO_ID, llm.frame_mask, start_B)
    return Prompt(padded, valid, tokens, assembly)


def take_sample(state: SequenceState, index: int) -> SequenceState:
    """One sample of a fresh batch, alone and without its padding."""
    length = int(state.lengths[index])
    names = ("h", "pos", "rank", "size", "frame", "slot", "cell", "kind", "valid")
    fields = {name: getattr(state, name)[index : index + 1, :length] for name in names}
    return state.replace(**fields, src=SourceMap.identity(fields["valid"]), padded=False)


def more_text(llm: HFDecoder, ids_BK: Tensor, start_B: Tensor) -> SequenceState:
    """K more text rows for each sample, from position ``start_B`` on."""
    valid = torch.ones_like(ids_BK, dtype=torch.bool)
    return assemble(llm.embed, ids_BK, valid, None, VIDEO_ID, llm.frame_mask, start_B).state


def append_text(llm: HFDecoder, state: SequenceState, ids_K: Tensor) -> SequenceState:
    """A fresh sample without padding, with K more text rows behind it."""
    tail = more_text(llm, ids_K[None], state.lengths)
    names = ("h", "pos", "rank", "size", "frame", "slot", "cell", "kind", "valid")
    fields = {name: torch.cat((getattr(state, name), getattr(tail, name)), 1) for name in names}
    return state.replace(**fields, src=SourceMap.identity(fields["valid"]))
