import math

import pytest
import torch

from elva.models.mergers import bipartite
from elva.models.mergers.bipartite import bipartite_matching
from elva.models.mergers.similarity import metric
from elva.structures import Kind
from elva.testing import make_prompt, tiny_decoder
from elva.testing.builders import draw_video, stack_videos, take_sample
from elva.testing.case import SAMPLES

LONG = ((2, [(3, 3)] * 40, 2), (1, [(2, 2)] * 3, 1), (1, [(5, 4)] * 12, [(1, 1)] * 2, 3))


def naive(state, b, most, window=None):
    """One merge of one sample, row by row: where each row goes."""
    unit = torch.nn.functional.normalize(state.h[b], dim=1)
    edges = []
    for kind in (Kind.PATCH, Kind.LINE):
        rows = [i for i in range(state.h.shape[1]) if state.mergeable[b, i] and state.kind[b, i] == kind]
        for place in range(0, len(rows), 2):
            others = [p for p in range(1, len(rows), 2) if window is None or abs(p - place) <= window]
            if others:
                scores = [float(unit[rows[place]] @ unit[rows[other]]) for other in others]
                best = max(range(len(others)), key=scores.__getitem__)
                edges.append((scores[best], rows[place], rows[others[best]]))
    into = list(range(state.h.shape[1]))
    for _, row, other in sorted(edges, key=lambda edge: -edge[0])[:most]:
        into[row] = other
    return into


def match(state, most, window=None):
    return bipartite_matching(metric(state, None, "raw"), state.mergeable, state.kind, torch.tensor(most), window)


@pytest.mark.parametrize("share", [0.1, 0.29, 0.5])
@pytest.mark.parametrize("window", [None, 1, 2, 3, 8, 1000])
def test_it_matches_as_the_loop_over_rows_does(share, window):
    state = make_prompt(tiny_decoder(), SAMPLES, seed=4).state
    most = [math.floor(share * n) for n in state.visual.sum(1).tolist()]
    assert match(state, most, window).tolist() == [naive(state, b, most[b], window) for b in range(len(SAMPLES))]


@pytest.mark.parametrize("window", [1, 6, 63, 64, 130, 359, 400])
def test_a_band_of_several_chunks_matches_as_the_loop_does(window, monkeypatch):
    """Samples of different lengths, a chunk that is not full, and fewer scores held than there are."""
    monkeypatch.setattr(bipartite, "_CHUNK", 16)
    monkeypatch.setattr(bipartite, "_BLOCK", 10_000)
    state = make_prompt(tiny_decoder(), LONG, seed=1).state
    most = [70, 6, 90]
    assert match(state, most, window).tolist() == [naive(state, b, most[b], window) for b in range(len(LONG))]


@pytest.mark.parametrize("window", [None, 7])
def test_a_sample_alone_matches_as_in_a_batch(window):
    state = make_prompt(tiny_decoder(), LONG).state
    batch = match(state, [70, 6, 90], window)
    for b, most in enumerate((70, 6, 90)):
        alone = match(take_sample(state, b), [most], window)
        assert torch.equal(batch[b, : alone.shape[1]], alone[0])


def test_a_window_as_long_as_the_sequence_is_no_window():
    state = make_prompt(tiny_decoder(), LONG).state
    most, rows = [70, 6, 90], int((state.kind == Kind.PATCH).sum(1).max())
    assert torch.equal(match(state, most, rows), match(state, most))
    assert not torch.equal(match(state, most, rows // 8), match(state, most))


def test_a_narrow_window_finds_nobody_that_is_far():
    state = make_prompt(tiny_decoder(), LONG).state
    into = match(state, [70, 6, 90], 5)
    rank = ((state.kind == Kind.PATCH).cumsum(1), (state.kind == Kind.LINE).cumsum(1))
    moved = (into != torch.arange(into.shape[1])).nonzero()
    assert len(moved) == 70 + 6 + 90
    for b, row in moved.tolist():
        place = rank[0] if state.kind[b, row] == Kind.PATCH else rank[1]
        assert abs(int(place[b, row]) - int(place[b, into[b, row]])) <= 5


def test_scores_come_in_blocks_that_fit_memory(monkeypatch):
    state = make_prompt(tiny_decoder(), LONG).state
    whole = match(state, [70, 6, 90])
    monkeypatch.setattr(bipartite, "_BLOCK", 1000)
    assert torch.equal(match(state, [70, 6, 90]), whole)


@pytest.mark.parametrize("window", [None, 4])
def test_rows_that_point_away_from_each_other_meet_all_the_same(window):
    """Nothing that stands for padding, or is out of reach, may look better than a cosine of -1."""
    state = make_prompt(tiny_decoder(), [(1, [(1, 2)], 1), (1, [(2, 2)] * 9, 1)]).state
    h = state.h.clone()
    first, second = (state.kind[0] == Kind.PATCH).nonzero().squeeze(1).tolist()
    h[0, second] = -h[0, first]
    into = match(state.replace(h=h), [1, 0], window)
    assert int(into[0, first]) == second


@pytest.mark.parametrize("window", [None, 4])
def test_similarity_is_measured_in_float32_under_autocast(window):
    state = make_prompt(tiny_decoder(), SAMPLES).state
    exact = match(state, [9, 9, 9, 9], window)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(match(state, [9, 9, 9, 9], window), exact)
    half = state.replace(h=state.h.bfloat16())
    assert match(half, [9, 9, 9, 9], window).shape == exact.shape


@pytest.mark.parametrize("window", [None, 2])
def test_a_single_row_of_its_kind_has_no_partner(window):
    state = make_prompt(tiny_decoder(), [(2, [(1, 1)], 2), (1, [(1, 3)], 1)]).state
    into = match(state, [5, 5], window)
    assert into[0].tolist() == list(range(into.shape[1]))
    assert int((into[1] != torch.arange(into.shape[1])).sum()) == 2
    assert match(take_sample(state, 0), [5], window).tolist() == [list(range(7))]


def test_padding_takes_no_part():
    """The videos of a batch differ in length; a short one has rows of its own only."""
    videos = [draw_video([(2, 2)] * frames, delimiters=False) for frames in (1, 9)]
    tokens = stack_videos(videos)
    into = bipartite_matching(
        lambda rows: torch.nn.functional.normalize(tokens.x.flatten(0, 1)[rows], dim=1),
        tokens.reducible,
        tokens.kind,
        torch.tensor([30, 30]),
    )
    assert into[0, 4:].tolist() == list(range(4, 36))
    assert int((into[0] != torch.arange(36)).sum()) == 2
    assert int((into[1] != torch.arange(36)).sum()) == 18
