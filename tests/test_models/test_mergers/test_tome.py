import math

import pytest
import torch

from elva.models.mergers import Site, ToMe, tome
from elva.models.mergers.similarity import metric
from elva.models.mergers.tome import bipartite_matching
from elva.structures import Kind
from elva.testing import make_prompt, tiny_decoder
from elva.testing.case import SAMPLES, run

SITE = Site(1, "post_attn")


def naive(state, b, ratio):
    """One merge of one sample, row by row: where each row goes."""
    rows = [i for i in range(state.h.shape[1]) if state.mergeable[b, i]]
    first, second = rows[0::2], rows[1::2]
    unit = torch.nn.functional.normalize(state.h[b], dim=1)
    edges = []
    for row in first:
        fitting = [other for other in second if state.kind[b, other] == state.kind[b, row]]
        if fitting:
            scores = [float(unit[row] @ unit[other]) for other in fitting]
            best = max(range(len(fitting)), key=scores.__getitem__)
            edges.append((scores[best], row, fitting[best]))
    into = list(range(state.h.shape[1]))
    allowed = math.floor(ratio * int((state.visual & state.valid)[b].sum()) + 1e-9)
    for _, row, other in sorted(edges, key=lambda edge: -edge[0])[:allowed]:
        into[row] = other
    return into


@pytest.mark.parametrize("ratio", [0.1, 0.29, 0.5])
def test_it_matches_as_the_loop_over_rows_does(ratio):
    state = make_prompt(tiny_decoder(), SAMPLES, seed=4).state
    most = torch.tensor([math.floor(ratio * n + 1e-9) for n in (state.visual & state.valid).sum(1).tolist()])
    into = bipartite_matching(metric(state, None, "raw"), state.mergeable, state.kind, most)
    assert into.tolist() == [naive(state, b, ratio) for b in range(len(SAMPLES))]
    merged = ToMe((1,), ratio, "raw")(state, SITE)
    assert torch.equal(merged.src.dst, state.fold(into).src.dst)


def test_scores_come_in_blocks_that_fit_memory(monkeypatch):
    state = make_prompt(tiny_decoder(), SAMPLES).state
    whole = ToMe((1,), 0.4)(state, SITE)
    monkeypatch.setattr(tome, "_BLOCK", 150)
    assert torch.equal(ToMe((1,), 0.4)(state, SITE).src.dst, whole.src.dst)


def test_similarity_is_measured_in_float32_under_autocast():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    seen = []
    unit = metric(state, None, "raw")

    def spy(rows):
        seen.append(unit(rows).dtype)
        return unit(rows)

    exact = bipartite_matching(unit, state.mergeable, state.kind, torch.tensor([9, 9, 9, 9]))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = bipartite_matching(spy, state.mergeable, state.kind, torch.tensor([9, 9, 9, 9]))
    assert torch.equal(mixed, exact)
    assert set(seen) == {torch.float32}


def test_the_surviving_rows_keep_their_order():
    """The published code returns the unmerged rows first."""
    state = make_prompt(tiny_decoder(), SAMPLES).state
    out = ToMe((1,), 0.5)(state, SITE)
    rising = (out.pos[:, 1:] > out.pos[:, :-1]) | ~out.valid[:, 1:]
    assert rising.all()


def test_patches_and_lines_never_pair():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    out = ToMe((1,), 0.5)(state, SITE)
    for b in range(len(SAMPLES)):
        for row, dst in enumerate(out.src.dst[b].tolist()):
            if dst >= 0:
                assert out.kind[b, dst] == state.kind[b, row]


def test_the_share_is_one_of_the_visual_rows_and_the_schedule_says_it():
    llm = tiny_decoder()
    state = make_prompt(llm, [(3, [(3, 3)] * 8, 4)]).state
    merger = ToMe((1, 2), ratio=0.29)
    _, trace = run(llm, state, merger)
    rows = [int((s.visual & s.valid).sum()) for s in trace.states]
    assert rows == merger.schedule(104, 4) == [104, 104, 74, 53]


def test_a_place_may_join_any_other_place():
    """What sets it apart from the temporal merger: two like rows of one frame meet."""
    state = make_prompt(tiny_decoder(), [(1, [(2, 3)], 1)]).state
    h = state.h.clone()
    patches = (state.kind[0] == Kind.PATCH).nonzero().squeeze(1)
    h[0, patches[0]] = h[0, patches[4]]
    out = ToMe((1,), 0.1, "raw")(state.replace(h=h), SITE)
    assert int(state.lengths - out.lengths) == 0  # a tenth of nine rows is no row
    out = ToMe((1,), 0.12, "raw")(state.replace(h=h), SITE)
    dst = out.src.dst[0]
    assert dst[patches[0]] == dst[patches[4]]


def test_one_mergeable_row_has_no_partner():
    state = make_prompt(tiny_decoder(), [(2, [(1, 1)], 2)]).state
    state = state.replace(slot=state.slot.masked_fill(state.kind == Kind.LINE, -1))
    assert ToMe((1,), 0.5)(state, SITE) is state


def test_streaming_gives_merged_rows_the_latest_rank():
    state = make_prompt(tiny_decoder(), SAMPLES).state
    out = ToMe((1,), 0.5, streaming=True)(state, SITE)
    for b in range(len(SAMPLES)):
        for row in range(int(out.lengths[b])):
            members = (out.src.dst[b] == row).nonzero().squeeze(1)
            assert int(out.rank[b, row]) == int(members.max())


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"ToMe: ratio=0.6 .*give 0 to 0.5"):
        ToMe(ratio=0.6)
    with pytest.raises(ValueError, match=r"ToMe: layers=\[2, 6\], but the language model has only 4"):
        ToMe().sites(4)
    assert ToMe().sites(28) == [(2, "post_attn"), (6, "post_attn")]
