"""Everything that a reducer promises by being registered, as checks that take its name.

Each check builds the reducer with its defaults (or with the settings given) and runs it on a ragged batch of drawn
videos, with attention, keys, text and pixels at hand.

Legend: V videos, N tokens, M tokens left, C channels.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from elva.models.llms import assemble
from elva.models.reducers import ReduceContext, TokenReducer
from elva.registry import REDUCERS
from elva.structures import Clip, FramePlan, Kind, SourceMap, VideoTokens

from .builders import CHANNELS, VIDEO_ID, Grid, draw_video, stack_videos, tiny_decoder
from .case import assert_close, assert_same

PATCH = 2
"""Side in pixels of a drawn patch."""

VIDEOS: tuple[tuple[Grid, ...], ...] = (
    ((4, 4),) * 6,
    ((4, 4), (2, 2), (4, 4), (2, 2), (4, 4)),
    ((4, 4),),
    ((4, 4),) * 9,
)
"""Several lengths, an odd one among them, frames of two sizes, and a still frame."""

FIELDS = ("x", "pos", "seconds", "size", "frame", "slot", "grid", "kind", "attn", "keys")


def build(name: str, **settings: Any) -> TokenReducer:
    """The reducer, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        reducer: TokenReducer = REDUCERS.build_with({"type": name, **settings}, in_channels=CHANNELS).eval()
    return reducer


def draw(
    videos: Sequence[Sequence[Grid]] = VIDEOS, delimiters: bool = True, noise: float = 0.8, seed: int = 0
) -> VideoTokens:
    """A batch of drawn videos."""
    drawn = [draw_video(frames, noise, CHANNELS, seed + i, delimiters) for i, frames in enumerate(videos)]
    return stack_videos(drawn)


def context_of(videos: Sequence[Sequence[Grid]] = VIDEOS, seed: int = 0) -> ReduceContext:
    """Text and pixels for such a batch: five words a video, and frames of noise that change a little."""
    texts, clips = [], []
    for index, frames in enumerate(videos):
        random = torch.Generator().manual_seed(100 + seed + index)
        texts.append(torch.randn(5, CHANNELS, generator=random))
        sizes = tuple((h * PATCH, w * PATCH) for h, w in frames)
        plan = FramePlan(tuple(float(t) for t in range(len(frames))), sizes)
        pixels = [torch.rand(len(at), 3, *size, generator=random) for size, at in plan.groups().items()]
        clips.append(Clip(plan, tuple(pixels)))
    valid = torch.ones(len(videos), 5, dtype=torch.bool)
    return ReduceContext(torch.stack(texts), valid, clips, lambda pixels: pixels)


def run(reducer: TokenReducer, tokens: VideoTokens, context: ReduceContext | None = None) -> VideoTokens:
    """The reduced tokens, without gradient."""
    with torch.no_grad():
        return reducer(tokens, context or context_of())


def shortens_the_videos(name: str, **settings: Any) -> None:
    """With its defaults fewer tokens are left of a batch, and some of every video."""
    reducer, tokens = build(name, **settings), draw()
    out = run(reducer, tokens)
    shorter = bool((out.valid.sum(1) < tokens.valid.sum(1)).any())
    assert shorter == ({} not in reducer.identity), f"{tokens.valid.sum(1).tolist()} -> {out.valid.sum(1).tolist()}"
    assert (out.valid.sum(1) > 0).all(), "nothing is left of a video"


def describes_every_token(name: str, **settings: Any) -> None:
    """Fields keep shapes, types and padding; ``FRAME`` tokens stay; tokens stand in order of time."""
    for delimiters in (True, False):
        tokens = draw(delimiters=delimiters)
        out = run(build(name, **settings), tokens)
        length = out.valid.shape[1]
        assert_same("valid stand first", out.valid, torch.arange(length) < out.valid.sum(1, keepdim=True))
        assert length == int(out.valid.sum(1).max()), "rows beyond the longest video"
        for field in FIELDS:
            was, now = getattr(tokens, field), getattr(out, field)
            assert now is not None and now.dtype == was.dtype, f"{field}: {None if now is None else now.dtype}"
            assert now.shape == (*out.valid.shape, *was.shape[2:]), f"{field}: shape {tuple(now.shape)}"
        pads = {"kind": int(Kind.PAD), "size": 0, "slot": -1, "frame": -1, "x": 0}
        for field, value in pads.items():
            assert (getattr(out, field)[~out.valid] == value).all(), f"padding has another {field} than {value}"
        for kind in (Kind.FRAME, Kind.TEXT, Kind.MEMORY):
            assert_same(f"{kind.name} tokens", (out.kind == kind).sum(1), (tokens.kind == kind).sum(1))
        time = out.pos[..., 0]
        assert ((time[:, 1:] >= time[:, :-1] - 1e-4) | ~out.valid[:, 1:]).all(), "tokens out of their order in time"
        assert (out.size[out.valid] > 0).all(), "a token stands for nothing"
        places = torch.stack((out.frame, out.slot), -1)
        for video in range(len(places)):
            own = places[video][(out.slot[video] >= 0) & (out.frame[video] >= 0)]
            assert len(own.unique(dim=0)) == len(own), "two tokens of a frame at the same place"


def keeps_account_of_every_token(name: str, **settings: Any) -> None:
    """``src`` tells of what each token is made; of no padding, and of no other kind."""
    tokens = draw()
    reducer = build(name, **settings)
    out = run(reducer, tokens)
    length = out.valid.shape[1]
    if out.src.linear:
        assert_close(
            "weighted sums of the original tokens", out.src.apply(tokens.x, length)[out.valid], out.x[out.valid]
        )
    own = out.src.dense(length)
    assert (own.abs().sum(2) > 0)[out.valid].all(), "a token is made of nothing"
    assert (own[~out.valid] == 0).all() and (own.transpose(1, 2)[~tokens.valid] == 0).all(), "padding takes part"
    same_kind = out.kind[:, :, None] == tokens.kind[:, None, :]
    assert (own[~same_kind] == 0).all(), "tokens of different kinds were mixed"


def loses_no_grid(name: str, **settings: Any) -> None:
    """If it says that it keeps the grid, the patches of every frame fill the grid that they name."""
    reducer = build(name, **settings)
    if not reducer.keeps_grid:
        return
    out = run(reducer, draw())
    for video in range(len(out.x)):
        patch = out.valid[video] & (out.kind[video] == Kind.PATCH)
        for frame in out.frame[video][patch].unique():
            here = patch & (out.frame[video] == frame)
            h, w = out.grid[video][here][0].tolist()
            cells = out.cell[video][here]
            assert len(cells) == h * w == len(cells.unique(dim=0)), f"{len(cells)} patches in a grid of {h} x {w}"
            assert (cells >= 0).all() and (cells < torch.tensor([h, w])).all(), "cells outside their grid"


def ignores_padding_and_neighbours(name: str, **settings: Any) -> None:
    """A video comes out of a ragged batch as it does alone."""
    reducer = build(name, **settings)
    batch = run(reducer, draw())
    for index, frames in enumerate(VIDEOS):
        alone = run(reducer, draw([frames], seed=index), context_of([frames], seed=index))
        valid = batch.valid[index]
        assert_same(f"tokens of video {index}", valid.sum(), alone.valid.sum())
        for field in FIELDS:
            got, expected = getattr(batch, field)[index][valid].float(), getattr(alone, field)[0].float()
            assert_close(f"{field} of video {index}", got, expected)


def does_nothing_at_identity_settings(name: str, **settings: Any) -> None:
    """Each of its ``identity`` settings gives the tokens that came, to the last bit."""
    for identity in REDUCERS.get(name).identity:
        tokens = draw()
        out = run(build(name, **{**settings, **identity}), tokens)
        assert_same("valid", out.valid, tokens.valid)
        assert torch.equal(out.x, tokens.x), f"{identity} changes the features"


def counts_by_number_unless_adaptive(name: str, **settings: Any) -> None:
    """The same shapes give the same number of tokens, whatever they show, unless it is said to be adaptive."""
    reducer = build(name, **settings)
    if reducer.adaptive:
        return
    counts = [run(reducer, draw(noise=noise, seed=9 + i)).valid.sum(1) for i, noise in enumerate((0.0, 0.5, 3.0))]
    assert_same("tokens", counts[0], counts[1])
    assert_same("tokens", counts[0], counts[2])


def gives_the_same_twice(name: str, **settings: Any) -> None:
    """In evaluation the same tokens come out the same, also from another instance."""
    first, second = (run(build(name, **settings), draw()) for _ in range(2))
    assert_same("valid", first.valid, second.valid)
    assert torch.equal(first.x, second.x), "features differ from run to run"


def survives_the_smallest_and_the_dullest(name: str, **settings: Any) -> None:
    """One frame, two frames, frames that are all alike, features of zero: finite, and something is left."""
    reducer = build(name, **settings)
    for videos in ([((4, 4),)], [((4, 4),) * 2], [((4, 4),) * 3]):
        for noise in (0.0, 0.8):
            tokens = draw(videos, noise=noise)
            for x in (tokens.x, torch.zeros_like(tokens.x), torch.ones_like(tokens.x)):
                out = run(reducer, tokens.replace(x=x), context_of(videos))
                assert out.x.isfinite().all() and out.size.isfinite().all(), "not finite"
                assert (out.valid.sum(1) > 0).all(), "nothing is left"


def hides_the_future_if_causal(name: str, **settings: Any) -> None:
    """If it says that it is causal, frames to come change nothing of those that were."""
    reducer = build(name, **settings)
    if not reducer.causal:
        return
    frames = ((4, 4),) * 6
    tokens, context = draw([frames]), context_of([frames])
    out = run(reducer, tokens, context)
    for cut in range(1, 6):
        earlier = tokens.select(tokens.frame < cut)
        earlier = earlier.replace(src=SourceMap.identity(earlier.valid))
        head = run(reducer, earlier, _first_frames(context, cut))
        count = int(head.valid.sum())
        assert count == int((out.pos[..., 0] < cut)[out.valid].sum()), f"other tokens of the first {cut} frames"
        assert_close(f"the first {cut} frames", out.x[:, :count], head.x)


def passes_the_gradient_on(name: str, **settings: Any) -> None:
    """The tokens that are left pass a gradient to everything that they are made of, and to what it learns itself."""
    reducer, tokens = build(name, **settings), draw()
    x = tokens.x.clone().requires_grad_()
    out = reducer(tokens.replace(x=x), context_of())
    out.x[out.valid].square().sum().backward()
    assert x.grad is not None and x.grad.isfinite().all(), "no gradient, or one that is not finite"
    made_of = (out.src.dense(out.valid.shape[1]) != 0).any(1)
    assert (x.grad.abs().amax(-1) > 0)[made_of].float().mean() > 0.99, "tokens that take part get no gradient"
    for label, parameter in reducer.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), f"{label} gets no gradient"


def keeps_the_data_type(name: str, **settings: Any) -> None:
    """It runs in bfloat16 and under autocast, and hands on what it was given."""
    reducer, tokens = build(name, **settings).bfloat16(), draw()
    assert tokens.keys is not None
    half = tokens.replace(x=tokens.x.bfloat16(), keys=tokens.keys.bfloat16())
    out = run(reducer, half)
    assert out.x.dtype == torch.bfloat16, f"bfloat16 became {out.x.dtype}"
    assert out.size.dtype == torch.float32, f"size became {out.size.dtype}"
    with torch.autocast("cpu", torch.bfloat16):
        mixed = run(build(name, **settings), tokens)
    assert mixed.x.isfinite().all(), "not finite under autocast"


def feeds_a_language_model(name: str, **settings: Any) -> None:
    """What it leaves is put into a sequence, in order, and read by a language model."""
    llm, reducer = tiny_decoder(2), build(name, **settings)
    tokens = run(reducer, draw())
    ids = torch.tensor([[1, VIDEO_ID, 2, 3]]).expand(len(tokens.x), -1)
    assembly = assemble(llm.embed, ids, torch.ones_like(ids, dtype=torch.bool), tokens, VIDEO_ID)
    assert_same("rows", assembly.state.lengths, tokens.valid.sum(1) + 3)
    with torch.no_grad():
        out = llm(assembly.state)
    assert out.h[out.valid].isfinite().all()
    assert assembly.placement is not None
    back = assembly.placement.recover(out, tokens)
    assert_same("tokens that come back", back.valid, tokens.valid)


def names_what_is_missing(name: str, **settings: Any) -> None:
    """Without what it ``requires``, a ``ValueError`` names it."""
    reducer, tokens = build(name, **settings), draw()
    for signal in sorted(reducer.requires):
        context = ReduceContext() if signal in ("text", "clips") else context_of()
        poorer = tokens.replace(**{signal: None}) if signal in ("attn", "keys") else tokens
        message = ""
        try:
            run(reducer, poorer, context)
        except ValueError as error:
            message = str(error)
        assert name in message and signal in message, f"'{signal}' is missing, and the message is '{message}'"


def _first_frames(context: ReduceContext, count: int) -> ReduceContext:
    clips = []
    for clip in context.clips:
        plan = FramePlan(clip.plan.seconds[:count], clip.plan.sizes[:count])
        clips.append(Clip(plan, tuple(p[:count] for p in clip.pixels)))
    return ReduceContext(context.text_VTC, context.text_valid_VT, clips, context.denormalise)


REDUCER_CONTRACT: tuple[Callable[..., None], ...] = (
    shortens_the_videos,
    describes_every_token,
    keeps_account_of_every_token,
    loses_no_grid,
    ignores_padding_and_neighbours,
    does_nothing_at_identity_settings,
    counts_by_number_unless_adaptive,
    gives_the_same_twice,
    survives_the_smallest_and_the_dullest,
    hides_the_future_if_causal,
    passes_the_gradient_on,
    keeps_the_data_type,
    feeds_a_language_model,
    names_what_is_missing,
)
"""Call each as ``check(name, **settings)``; it raises ``AssertionError`` if the reducer breaks the promise."""
