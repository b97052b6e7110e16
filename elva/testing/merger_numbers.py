"""The part of the mergers' contract that is about numbers: what may influence what, and how exactly.

Legend: B samples, L rows, C channels, H heads, G key/value heads, D head width.
"""

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from elva.models.attention import AttnMask, AttnView
from elva.models.attention.view import Projected
from elva.models.mergers.base import Site
from elva.registry import MERGERS
from elva.structures import SequenceState

from .builders import CHANNELS, make_prompt, take_sample, tiny_decoder
from .case import SAMPLES, TOLERANCE, assert_close, assert_same, build, run
from .wrappers import Recorder, moves


def hides_the_future(name: str, **settings: Any) -> None:
    """What comes later changes nothing earlier; with ``streaming``, not even through rows that were merged."""
    merger, depth = build(name, **settings, **_streaming(name))
    llm = tiny_decoder(depth)
    first = make_prompt(llm, SAMPLES[:2], seed=3).state
    out, trace = run(llm, first, merger)
    compared = 0
    for row in range(int(first.lengths.min())):
        nudged = first.h.clone()
        nudged[:, row] += 1e-2 * torch.randn(CHANNELS, generator=torch.Generator().manual_seed(row))
        other, again = run(llm, first.replace(h=nudged), merger)
        before, after = ([*states, last] for states, last in ((trace.states, out), (again.states, other)))
        if not all(torch.equal(a.src.dst, b.src.dst) for a, b in zip(before, after, strict=True)):
            continue  # a merger ranks all pairs at once: the nudge tipped a decision, which is not what is asked here
        earlier, later = (out.valid & (out.rank < row)), (out.valid & (out.rank >= row))
        assert_close(f"rows that may not see row {row}", other.h[earlier], out.h[earlier])
        assert (other.h - out.h)[later].abs().max() > 10 * TOLERANCE, f"row {row} changes nothing at all"
        compared += 1
    assert compared > 5, "nearly every nudge changed which rows merge or survive"


def ranks_merged_rows(name: str, **settings: Any) -> None:
    """With ``streaming`` a merged row has the latest rank of its members; any other row keeps its own."""
    for streaming in ({}, _streaming(name)):
        merger, depth = build(name, **settings, **streaming)
        recorder = Recorder(merger)
        run(tiny_decoder(depth), make_prompt(tiny_decoder(depth), SAMPLES).state, recorder)
        for before, after in recorder.calls:
            into_BL = moves(before, after)
            latest = torch.zeros(len(into_BL), after.h.shape[1] + 1, dtype=torch.long)
            latest.scatter_reduce_(1, torch.where(into_BL >= 0, into_BL, after.h.shape[1]), before.rank, "amax")
            expected = latest[:, :-1] if streaming else after.pos
            assert_same("rank", after.rank[after.valid], expected[after.valid])


def agrees_between_kernels(name: str, **settings: Any) -> None:
    """PyTorch's kernel and attention written out give the same numbers, causal and two-way within a frame."""
    merger, depth = build(name, **settings)
    for frame_mask in ("causal", "bidirectional"):
        fused, eager = (tiny_decoder(depth, attention=kernel, frame_mask=frame_mask) for kernel in ("sdpa", "eager"))
        state = make_prompt(fused, SAMPLES).state
        a, b = run(fused, state, merger)[0], run(eager, state, merger)[0]
        assert_close(f"kernels ({frame_mask})", a.h[a.valid], b.h[b.valid])


def does_nothing_at_identity_settings(name: str, **settings: Any) -> None:
    """Each of its ``identity`` settings gives the numbers of the model without a merger, to the last bit."""
    for identity in MERGERS.get(name).identity:
        merger, depth = build(name, **{**settings, **identity})
        llm = tiny_decoder(depth)
        state = make_prompt(llm, SAMPLES).state
        got, expected = run(llm, state, merger)[0], run(llm, state, None)[0]
        assert_same("rows", got.valid, state.valid)
        assert torch.equal(got.h[state.valid], expected.h[state.valid]), f"{identity} changes the numbers"
        assert_same("positions", got.pos, state.pos)


def leaves_text_alone(name: str, **settings: Any) -> None:
    """A batch without video comes out as without a merger, to the last bit."""
    merger, depth = build(name, **settings)
    llm = tiny_decoder(depth)
    state = make_prompt(llm, [(5,), (9,), (1,)]).state
    got, expected = run(llm, state, merger)[0], run(llm, state, None)[0]
    assert_same("rows", got.valid, state.valid)
    assert torch.equal(got.h[state.valid], expected.h[state.valid]), "text alone was changed"


def ignores_padding_and_neighbours(name: str, **settings: Any) -> None:
    """A sample comes out of a ragged batch as it does alone."""
    merger, depth = build(name, **settings)
    llm = tiny_decoder(depth)
    state = make_prompt(llm, SAMPLES).state
    batch, trace = run(llm, state, merger)
    for b in range(len(SAMPLES)):
        alone, own = run(llm, take_sample(state, b), merger)
        assert_same(f"rows of sample {b}", torch.stack(trace.rows)[:, b], torch.stack(own.rows)[:, 0])
        assert_same(f"sources of sample {b}", batch.src.dst[b, : alone.src.dst.shape[1]], alone.src.dst[0])
        assert_close(f"sample {b}", batch.h[b][batch.valid[b]], alone.h[0])


def promises_no_less_than_it_leaves(name: str, **settings: Any) -> None:
    """``schedule`` names the fewest visual rows that enter each layer."""
    merger, depth = build(name, **settings)
    state = make_prompt(tiny_decoder(depth), SAMPLES).state
    _, trace = run(tiny_decoder(depth), state, merger)
    for b in range(len(SAMPLES)):
        schedule = merger.schedule(int((state.visual & state.valid)[b].sum()), depth)
        if schedule is None:
            continue
        rows = [int((s.visual & s.valid)[b].sum()) for s in trace.states]
        assert len(schedule) == depth, f"schedule has {len(schedule)} numbers for {depth} layers"
        assert all(r >= s for r, s in zip(rows, schedule, strict=True)), f"rows {rows} below the schedule {schedule}"


def ignores_a_huge_channel(name: str, **settings: Any) -> None:
    """Which rows merge does not change when the residual stream gets a huge channel that the layer's norm mutes.

    Only for mergers that have a ``similarity``.
    """
    if "similarity" not in inspect.signature(MERGERS.get(name)).parameters:
        return
    merger, depth = build(name, **settings)
    site = Site(*merger.sites(depth)[0])
    state = make_prompt(tiny_decoder(depth), SAMPLES).state
    huge = state.h.clone()
    huge[..., 0] = 1000.0
    plain, pushed = (merger(s, site, lone_view(s)) for s in (state, state.replace(h=huge)))
    assert_same("rows after the merge", pushed.lengths, plain.lengths)
    assert_same("what each row became part of", pushed.src.dst, plain.src.dst)


def passes_the_gradient_on(name: str, **settings: Any) -> None:
    """The rows that survive pass a gradient to everything that was merged into them."""
    merger, depth = build(name, **settings)
    llm = tiny_decoder(depth)
    state = make_prompt(llm, SAMPLES).state
    h = state.h.clone().requires_grad_()
    out = llm(state.replace(h=h), merger)
    assert out.h.requires_grad, "the result has no gradient"
    out.h[out.valid].square().sum().backward()
    assert h.grad is not None
    assert h.grad.isfinite().all(), "a gradient is not finite"
    reached = h.grad.abs().amax(-1) > 0
    assert reached[out.src.dst >= 0].all(), "rows that are part of the result get no gradient"


def costs_as_many_calls_for_a_long_clip(name: str, **settings: Any) -> None:
    """The number of tensor operations does not depend on the number of rows: no loop runs over them."""
    merger, depth = build(name, **settings)
    counts = []
    for frames in (9, 73):
        state = make_prompt(tiny_decoder(depth), [(2, [(2, 2)] * frames, 2)] * 2).state
        view = lone_view(state)
        with torch.no_grad(), CallCount() as calls:
            for site in merger.sites(depth):
                merger(state, Site(*site), view)
        counts.append(calls.count)
    assert counts[0] == counts[1], f"{counts[0]} operations for 67 rows, {counts[1]} for 515"


def keeps_the_data_type(name: str, **settings: Any) -> None:
    """It runs in bfloat16 and under autocast, and hands on what it was given."""
    merger, depth = build(name, **settings)
    llm = tiny_decoder(depth)
    state = make_prompt(llm, SAMPLES).state
    with torch.autocast("cpu", torch.bfloat16):
        mixed, _ = run(llm, state, merger)
    assert mixed.h[mixed.valid].isfinite().all(), "not finite under autocast"
    half = state.replace(h=state.h.bfloat16())
    for site in merger.sites(depth):
        out = merger(half, Site(*site), lone_view(half))
        assert out.h.dtype == torch.bfloat16, f"bfloat16 became {out.h.dtype}"
        assert out.size.dtype == torch.float32, f"size became {out.size.dtype}"


def lone_view(state: SequenceState) -> AttnView:
    """The view of a layer by itself: a norm that mutes channel 0, and queries and keys without rotation."""
    random = torch.Generator().manual_seed(0)
    channels = state.h.shape[2]
    norm = nn.RMSNorm(channels).requires_grad_(False)
    norm.weight[0] = 0.0
    norm.to(state.h.dtype)
    weight = torch.randn(2, channels, channels, generator=random).to(state.h.dtype)

    def heads(x_BLC: Tensor) -> Tensor:
        return x_BLC.unflatten(-1, (4, -1)).transpose(1, 2)

    def project() -> Projected:
        x = norm(state.h)
        mask = AttnMask(state.rank, state.rank, state.valid, causal=state.rising)
        return heads(x @ weight[0]), heads(x @ weight[1]), mask, channels**-0.5

    return AttnView(norm, project, lambda name, value: None)


class CallCount(TorchDispatchMode):
    """Counts the tensor operations within it."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def _streaming(name: str) -> dict[str, bool]:
    """The setting that makes a merger hide merged rows from whoever could not see all of them, if it has one."""
    return {"streaming": True} if "streaming" in inspect.signature(MERGERS.get(name)).parameters else {}
