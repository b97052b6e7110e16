import pytest
import torch
from torch.nn.functional import normalize

from elva.models.mergers import FastV, HoliTomInner, Site
from elva.models.mergers.holitom_inner import best_of_each_kind, into_most_similar
from elva.models.mergers.similarity import metric
from elva.structures import Kind
from elva.testing import make_prompt, tiny_decoder
from elva.testing.case import SAMPLES, run
from elva.testing.merger_numbers import lone_view

SITE = Site(0, "post_layer")


def naive(state, b, keep):
    """Where each row of one sample goes, row by row."""
    unit = normalize(lone_view(state).norm(state.h[b]).float(), dim=1)
    into = list(range(state.h.shape[1]))
    for row in range(int(state.lengths[b])):
        if not keep[b, row]:
            fits = [r for r in into if keep[b, r] and state.mergeable[b, r] and state.kind[b, r] == state.kind[b, row]]
            into[row] = max(fits, key=lambda other: float(unit[row] @ unit[other]))
    return into


def test_rows_that_go_join_the_most_similar_of_their_kind_that_stays():
    state = make_prompt(tiny_decoder(), SAMPLES, seed=2).state
    keep = torch.rand(state.kind.shape, generator=torch.Generator().manual_seed(0)) < 0.4
    keep |= ~state.mergeable | best_of_each_kind(torch.rand(state.kind.shape), state)
    into = into_most_similar(metric(state, lone_view(state), "normed"), keep, state)
    assert into.tolist() == [naive(state, b, keep) for b in range(len(SAMPLES))]


def test_it_keeps_the_rows_that_fast_v_keeps_and_loses_none():
    llm = tiny_decoder()
    state = make_prompt(llm, [(2, [(3, 3)] * 4, 3)]).state
    folded, kept = (run(llm, state, merger)[0] for merger in (HoliTomInner(2), FastV(2)))
    assert torch.equal(folded.pos, kept.pos)
    assert float(folded.size.sum()) == float(state.size.sum()) > float(kept.size.sum())
    assert (folded.src.dst >= 0).all()


def test_a_row_is_the_mean_of_all_that_it_stands_for_in_any_order():
    """The published code gives the last of three rows a half of the result, and the first an eighth."""
    state = make_prompt(tiny_decoder(), [(1, [(1, 1)] * 4, 1)], noise=0.0).state
    patch = state.kind[0] == Kind.PATCH
    state = state.replace(h=torch.where(patch[None, :, None], torch.arange(1.0, 15)[None, :, None], state.h))
    out = HoliTomInner(1, ratio=0.99)(state, SITE, lone_view(state))
    only = (out.kind[0] == Kind.PATCH).nonzero().squeeze(1)
    assert len(only) == 1
    torch.testing.assert_close(out.h[0, only], state.h[0, patch].mean(0, keepdim=True))
    assert out.size[0, only].tolist() == [4]


def test_the_best_of_each_kind_stays_though_it_ranks_low():
    state = make_prompt(tiny_decoder(), [(1, [(2, 2)] * 3, 2)]).state
    score = torch.arange(state.kind.shape[1], dtype=torch.float32)[None]
    score = torch.where(state.kind == Kind.LINE, score - 1000, score)
    best = best_of_each_kind(score, state)
    assert state.kind[best].tolist() == [Kind.PATCH, Kind.LINE]
    assert best.nonzero()[:, 1].tolist() == [state.h.shape[1] - 4, state.h.shape[1] - 3]
    out = HoliTomInner(1, ratio=0.9)(state, SITE, lone_view(state))
    assert {int(kind) for kind in out.kind[0]} == {Kind.TEXT, Kind.FRAME, Kind.PATCH, Kind.LINE}


def test_rows_without_a_place_neither_go_nor_take_others_in():
    state = make_prompt(tiny_decoder(), [(1, [(2, 2)] * 4, 2)]).state
    state = state.replace(slot=state.slot.masked_fill(state.kind == Kind.LINE, -1))
    out = HoliTomInner(1, ratio=0.7)(state, SITE, lone_view(state))
    lines = out.kind == Kind.LINE
    assert int(lines.sum()) == 8
    assert (out.size[lines] == 1).all()


def test_settings_out_of_range_are_refused():
    assert HoliTomInner().sites(28) == [(17, "post_layer")]
    assert HoliTomInner().schedule(100, 28) == [100] * 18 + [50] * 10
    with pytest.raises(ValueError, match="HoliTomInner: layer=0, but it ranks by the attention of the layer before"):
        HoliTomInner(0)
    with pytest.raises(ValueError, match="HoliTomInner: ratio=1.0 .*give 0 to 0.99"):
        HoliTomInner(ratio=1.0)
    with pytest.raises(ValueError, match=r"layers \[18\], but the language model has only 18"):
        HoliTomInner().sites(18)
