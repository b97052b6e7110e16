"""The part of the mergers' contract that is about rows: which survive, where they are, what they stand for.

Legend: B samples, L rows, E original rows, C channels.
"""

from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from elva.models.llms import KVCache, Trace
from elva.structures import PAD_RANK, Kind, SequenceState

from .builders import append_text, make_prompt, more_text, take_sample, tiny_decoder
from .case import SAMPLES, assert_close, assert_same, build, run
from .wrappers import PrefixOnly, Recorder, moves


def shortens_the_sequence(name: str, **settings: Any) -> None:
    """With its defaults fewer rows enter some layer."""
    merger, depth = build(name, **settings)
    state = make_prompt(tiny_decoder(depth), SAMPLES).state
    _, trace = run(tiny_decoder(depth), state, merger)
    shorter = any(bool((rows < state.lengths).any()) for rows in trace.rows)
    assert shorter == ({} not in merger.identity), f"rows {state.lengths.tolist()} -> {trace.tokens_per_layer()}"


def keeps_text_frames_kinds_and_order(name: str, **settings: Any) -> None:
    """Text and ``FRAME`` rows survive, no two kinds meet, and rows keep their place, their position and their order."""
    merger, depth = build(name, **settings)
    first = make_prompt(tiny_decoder(depth), SAMPLES).state
    out, trace = run(tiny_decoder(depth), first, merger)
    for state in (*trace.states, out):
        _check_order(state)
        _check_survivors(first, state)
        _check_anchors(first, state)


def keeps_account_of_every_row(name: str, **settings: Any) -> None:
    """``src`` tells of every original row where it went, with shares that add up to 1, and sizes add up to the same."""
    merger, depth = build(name, **settings)
    first = make_prompt(tiny_decoder(depth), SAMPLES).state
    out, trace = run(tiny_decoder(depth), first, merger)
    for state in (*trace.states, out):
        length = state.h.shape[1]
        here = state.src.dst >= 0
        at = torch.where(here, state.src.dst, length)
        shares = torch.zeros(len(at), length + 1).scatter_add_(1, at, state.src.weight)[:, :-1]
        assert_close("shares of a row add up to 1", shares, state.valid.float())
        sizes = torch.zeros(len(at), length + 1).scatter_add_(1, at, first.size)[:, :-1]
        assert_close("size is that of the original rows", state.size, sizes)
        assert not (here & ~first.valid).any(), "padding became part of a row"
        dropped = first.valid & ~here
        assert not (dropped & (first.kind == Kind.TEXT)).any(), "text was dropped"


def averages_by_size(name: str, **settings: Any) -> None:
    """A merged row is the mean of its members weighted by size; a row that nothing joins is untouched.

    A call that puts rows back, which had skipped a layer, merges nothing and is not looked at.
    """
    merger, depth = build(name, **settings)
    recorder = Recorder(merger)
    run(tiny_decoder(depth), make_prompt(tiny_decoder(depth), SAMPLES).state, recorder)
    for before, after in recorder.calls:
        if (after.lengths > before.lengths).any():
            continue
        into_BL = moves(before, after)
        length = after.h.shape[1]
        at_BL = torch.where(into_BL >= 0, into_BL, length)
        size = torch.zeros(len(at_BL), length + 1).scatter_add_(1, at_BL, before.size)[:, :-1, None]
        weighted = before.h * before.size[..., None]
        total = torch.zeros(len(at_BL), length + 1, before.h.shape[2])
        total = total.scatter_add_(1, at_BL[..., None].expand_as(weighted), weighted)[:, :-1]
        assert_close("features are averaged by size", after.h[after.valid], (total / size)[after.valid])
        members = torch.zeros(len(at_BL), length + 1).scatter_add_(1, at_BL, torch.ones_like(before.size))
        alone = (into_BL >= 0) & (members.gather(1, at_BL) == 1)
        sample = torch.arange(len(at_BL))[:, None].expand_as(at_BL)
        same = torch.equal(after.h[sample[alone], into_BL[alone]], before.h[alone])
        assert same, "a row that nothing was merged into changed"


def keeps_positions(name: str, **settings: Any) -> None:
    """The position after a prefill is the original length in every layer; each layer caches its own rows."""
    merger, depth = build(name, **settings)
    state = make_prompt(tiny_decoder(depth), SAMPLES).state
    cache, trace = KVCache.empty(depth), Trace()
    with torch.no_grad():
        tiny_decoder(depth)(state, merger, cache, trace)
    assert cache.next_pos is not None
    assert_same("next position", cache.next_pos, state.lengths)
    for layer, rows in zip(cache.layers, trace.rows, strict=True):
        assert layer.rows is not None
        assert_same("rows in a layer's cache", layer.rows.valid.sum(1), rows)


def decodes_as_a_recompute_does(name: str, **settings: Any) -> None:
    """Cached decoding after a merged prefill of a ragged batch equals one pass over prompt and answer.

    The pass takes each sample alone, and the merger is shown the prompt only.
    """
    merger, depth = build(name, **settings)
    llm = tiny_decoder(depth)
    state = make_prompt(llm, SAMPLES).state
    answer_BK = torch.randint(90, (len(SAMPLES), 4), generator=torch.Generator().manual_seed(5))
    cache = KVCache.empty(depth)
    with torch.no_grad():
        llm(state, merger, cache)
        assert cache.next_pos is not None
        got_BKC = torch.cat(
            [llm(more_text(llm, id_B1, cache.next_pos), cache=cache).h for id_B1 in answer_BK.split(1, 1)], 1
        )
    for b in range(len(SAMPLES)):
        alone = take_sample(state, b)
        out, _ = run(llm, append_text(llm, alone, answer_BK[b]), PrefixOnly(merger, alone.h.shape[1]))
        assert_close(f"cached decoding of sample {b}", got_BKC[b], out.h[0, -answer_BK.shape[1] :])


def serves_many_questions_from_one_cache(name: str, **settings: Any) -> None:
    """A video's merged prefix, saved, loaded and forked, answers questions as prefilling each with its video does."""
    merger, depth = build(name, **settings)
    llm = tiny_decoder(depth)
    prefix = make_prompt(llm, SAMPLES[:1]).state
    cache = KVCache.empty(depth)
    questions = [torch.arange(5), torch.arange(20, 22), torch.arange(40, 47)]
    ids = torch.nn.utils.rnn.pad_sequence(questions, batch_first=True)
    with torch.no_grad():
        llm(prefix, merger, cache)
        loaded = KVCache.from_tensors(load(save(cache.tensors())))
        for served in (cache.fork(3), loaded.fork(3)):
            assert served.next_pos is not None
            rows = make_prompt(llm, [(len(q),) for q in questions], start_B=served.next_pos).state
            embedded = rows.replace(h=llm.embed(ids))
            out = llm(embedded, cache=served)
            for b, question in enumerate(questions):
                whole, _ = run(llm, append_text(llm, prefix, question), PrefixOnly(merger, prefix.h.shape[1]))
                assert_close(f"question {b}", out.h[b, : len(question)], whole.h[0, -len(question) :])


def _check_order(state: SequenceState) -> None:
    lengths = state.lengths[:, None]
    rows = torch.arange(state.h.shape[1])
    assert_same("valid rows stand first", state.valid, rows < lengths)
    assert state.h.shape[1] == int(lengths.max()), "rows beyond the longest sample"
    rising = (state.pos[:, 1:] > state.pos[:, :-1]) | ~state.valid[:, 1:]
    assert rising.all(), "the order of the surviving rows changed"
    assert state.padded == (not bool(state.valid.all())), "padded is wrong"
    pad = ~state.valid
    for field, value in (("kind", Kind.PAD), ("rank", PAD_RANK), ("size", 0), ("slot", -1), ("frame", -1)):
        assert (getattr(state, field)[pad] == value).all(), f"padding has another {field} than {value}"


def _check_survivors(first: SequenceState, state: SequenceState) -> None:
    for kind in (Kind.TEXT, Kind.FRAME):
        before, after = ((s.kind == kind).sum(1) for s in (first, state))
        assert_same(f"number of {kind.name} rows", after, before)
    lost = state.src.dst.clamp(min=0)
    meets = state.kind.gather(1, lost) == first.kind
    assert (meets | (state.src.dst < 0)).all(), "rows of different kinds were merged"
    members = state.src.counts(state.h.shape[1])
    fixed = (state.kind == Kind.TEXT) | (state.kind == Kind.FRAME)
    assert (members[fixed] == 1).all(), "text or FRAME rows were merged"


def _check_anchors(first: SequenceState, state: SequenceState) -> None:
    """A row is where its anchor was: the original row of its position."""
    valid = state.valid

    def original(field: Tensor) -> Tensor:
        return field.gather(1, state.pos)[valid]

    for name in ("slot", "kind"):
        assert_same(f"{name} of the anchor", getattr(state, name)[valid], original(getattr(first, name)))
    rows = torch.arange(state.h.shape[1]).expand_as(state.pos)
    assert_same("an anchor stays itself", original(state.src.dst), rows[valid])
    frame = state.frame[valid]
    assert ((frame == original(first.frame)) | (frame == -1)).all(), "a row tells of another frame than its anchor's"
    length = state.h.shape[1]
    at = torch.where(state.src.dst >= 0, state.src.dst, length)
    spread = [
        torch.zeros(len(at), length + 1, dtype=torch.long).scatter_reduce(1, at, first.frame, how, include_self=False)
        for how in ("amin", "amax")
    ]
    spans = (spread[0] != spread[1])[:, :-1][valid]
    assert_same("rows that span frames have frame -1", (frame == -1) & (state.kind[valid] != Kind.TEXT), spans)
