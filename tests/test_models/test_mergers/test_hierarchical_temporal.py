import math

import pytest
import torch
from torch.nn.functional import cosine_similarity

from elva.models.llms import Trace
from elva.models.mergers import HierarchicalTemporalMerger, Site
from elva.models.mergers.blocks import alike_blocks
from elva.models.mergers.runs import successive_pairs
from elva.models.mergers.similarity import metric
from elva.structures import Kind
from elva.testing import MERGER_CONTRACT, make_prompt, tiny_decoder
from elva.testing.builders import take_sample
from elva.testing.case import SAMPLES, run
from tests.test_models.test_mergers.test_blocks import smooth

SHALLOW, DEEP = Site(1, "pre_attn"), Site(2, "pre_attn")


def naive(rows, originals, tau, ratio, stage, gone=0):
    """One merge of one sample, row by row; ``rows`` are dicts in the order of the sequence.

    Every row is compared with the row before it at its place; the chosen ones join the earliest of their run. ``gone``
    rows are already gone at this site.
    """
    tubes = {}
    for index, row in enumerate(rows):
        if row["slot"] >= 0:
            tubes.setdefault(row["slot"], []).append(index)
    pairs = []
    for tube in sorted(tubes):
        for before, after in zip(tubes[tube], tubes[tube][1:], strict=False):
            score = float(cosine_similarity(rows[before]["h"], rows[after]["h"], dim=0))
            pairs.append((score, before, after))
    visual = sum(row["visual"] for row in rows)
    if stage == 1:
        allowed = math.floor(ratio * (visual + gone) + 1e-9) - gone
        pairs = [pair for pair in pairs if pair[0] >= tau]
    else:
        allowed = max(0, visual - math.ceil((1 - ratio) ** stage * originals - 1e-9))
    chosen = sorted(pairs, key=lambda pair: -pair[0])[:allowed]
    head = list(range(len(rows)))
    for _, before, after in sorted(chosen, key=lambda pair: pair[2]):
        head[after] = head[before]
    out = []
    for index, row in enumerate(rows):
        if head[index] != index:
            continue
        members = [rows[other] for other in range(len(rows)) if head[other] == index]
        size = sum(member["size"] for member in members)
        h = sum(member["size"] * member["h"] for member in members) / size
        out.append({**row, "h": h, "size": size})
    return out


def as_rows(state, b):
    names = ("h", "pos", "slot", "size", "visual")
    return [
        {name: (x if name == "h" else x.item()) for name, x in ((n, getattr(state, n)[b, row]) for n in names)}
        for row in range(int(state.lengths[b]))
    ]


@pytest.mark.parametrize("noise", [0.3, 0.8, 1.5])
@pytest.mark.parametrize(("tau", "ratio"), [(0.6, 0.5), (0.2, 0.3), (-1.0, 0.8), (0.9, 0.25)])
def test_it_does_what_the_loop_over_rows_does(noise, tau, ratio):
    merger = HierarchicalTemporalMerger((1, 2), tau, ratio)
    state = make_prompt(tiny_decoder(), SAMPLES, noise, seed=2).state
    expected = [as_rows(state, b) for b in range(len(SAMPLES))]
    originals = [sum(row["visual"] for row in rows) for rows in expected]
    for stage, site in enumerate((SHALLOW, DEEP), start=1):
        state = merger(state, site)
        for b in range(len(SAMPLES)):
            expected[b] = naive(expected[b], originals[b], tau, ratio, stage)
            assert state.pos[b][state.valid[b]].tolist() == [row["pos"] for row in expected[b]]
            assert state.size[b][state.valid[b]].tolist() == [row["size"] for row in expected[b]]
            torch.testing.assert_close(state.h[b][state.valid[b]], torch.stack([row["h"] for row in expected[b]]))


@pytest.mark.parametrize("side", [2, 3])
@pytest.mark.parametrize(("tau", "ratio"), [(0.5, 0.5), (0.5, 0.2), (0.55, 0.8)])
def test_blocks_of_a_frame_merge_first_and_take_their_part_of_the_share(side, tau, ratio):
    merger = HierarchicalTemporalMerger((1, 2), tau, ratio, spatial=side)
    state = smooth(((2, [(4, 5), (2, 2)] * 4, 3), (1, [(3, 3)] * 6, 1), (4,)))
    visual = state.visual.sum(1)
    before = state.fold(alike_blocks(state, metric(state, None, "raw"), side, tau, (ratio * visual + 1e-9).long()))
    gone = (visual - (before.visual & before.valid).sum(1)).tolist()
    assert gone[0] > 0
    expected = [naive(as_rows(before, b), int(visual[b]), tau, ratio, 1, gone[b]) for b in range(3)]
    state = merger(state, SHALLOW)
    for stage in (1, 2):
        for b in range(3):
            assert state.pos[b][state.valid[b]].tolist() == [row["pos"] for row in expected[b]]
            assert state.size[b][state.valid[b]].tolist() == [row["size"] for row in expected[b]]
            torch.testing.assert_close(state.h[b][state.valid[b]], torch.stack([row["h"] for row in expected[b]]))
            expected[b] = naive(expected[b], int(visual[b]), tau, ratio, 2)
        if stage == 1:
            state = merger(state, DEEP)


def test_a_still_video_of_one_colour_meets_its_schedule_with_blocks_too():
    state = smooth([(3, [(4, 4)] * 8, 4)], noise=0.0)
    merger = HierarchicalTemporalMerger((1, 2), ratio=0.5, spatial=2)
    rows = [int(state.visual.sum())]
    for site in (SHALLOW, DEEP):
        state = merger(state, site)
        rows.append(int(state.visual.sum()))
    assert rows == [merger.schedule(168, 3)[layer] for layer in range(3)] == [168, 84, 42]
    assert int((state.kind == Kind.FRAME).sum()) == 8


def test_line_rows_end_their_rows_of_patches_after_merging_in_blocks():
    state = smooth([(1, [(4, 4)], 1)], noise=0.0)
    out = HierarchicalTemporalMerger((1,), tau=0.9, ratio=0.9, spatial=2)(state, SHALLOW)
    kinds = [Kind(kind).name[0] for kind in out.kind[0].tolist()]
    assert "".join(kinds) == "TFPPLLPPLLT"


@pytest.mark.parametrize("check", MERGER_CONTRACT)
def test_contract_with_blocks(check):
    check("HierarchicalTemporalMerger", spatial=2, tau=0.0)


def test_blocks_need_the_grid_and_rows_that_know_their_cells():
    assert HierarchicalTemporalMerger(spatial=2).needs_grid
    assert not HierarchicalTemporalMerger().needs_grid
    state = make_prompt(tiny_decoder(), SAMPLES).state
    with pytest.raises(ValueError, match="spatial=2 needs rows that know their cells"):
        HierarchicalTemporalMerger((1,), spatial=2)(state.replace(cell=None), SHALLOW)
    with pytest.raises(ValueError, match="spatial=0 is the side of a block"):
        HierarchicalTemporalMerger(spatial=0)
    with pytest.raises(ValueError, match="use similarity='normed' or 'raw'"):
        HierarchicalTemporalMerger(similarity="keys", spatial=2)


def test_a_static_video_reaches_its_targets_and_they_are_the_schedule():
    merger = HierarchicalTemporalMerger((1, 2), ratio=0.5)
    llm = tiny_decoder()
    state = make_prompt(llm, [(3, [(3, 3)] * 8, 4)], noise=0.0).state
    _, trace = run(llm, state, merger)
    n_visual = 8 * (9 + 3 + 1)
    rows = [int((s.visual & s.valid).sum()) for s in trace.states]
    assert rows == merger.schedule(n_visual, 4) == [104, 52, 26, 26]


def test_identical_frames_leave_one_row_a_place_where_the_ratio_allows():
    merger = HierarchicalTemporalMerger((1,), tau=0.999, ratio=0.9)
    state = make_prompt(tiny_decoder(), [(2, [(2, 2)] * 6, 1)], noise=0.0).state
    out = merger(state, SHALLOW)
    slots = out.slot[0][out.slot[0] >= 0]
    assert sorted(slots.tolist()) == list(range(6))
    assert (out.size[0][out.slot[0] >= 0] == 6).all()
    assert int((out.kind == Kind.FRAME).sum()) == 6
    first = state.h[0][state.slot[0] >= 0][:6]
    torch.testing.assert_close(out.h[0][out.slot[0] >= 0], first)


def test_one_frame_is_left_as_it_is():
    state = make_prompt(tiny_decoder(), [(2, [(3, 3)], 1), (1, [(2, 2)], 2)]).state
    merger = HierarchicalTemporalMerger((1, 2), tau=-1.0, ratio=0.9)
    for site in (SHALLOW, DEEP):
        assert merger(state, site) is state


def test_the_shallow_step_takes_what_is_alike_and_no_more_than_its_share():
    state = make_prompt(tiny_decoder(), [(1, [(2, 2)] * 9, 1)], noise=0.8).state
    order, score = successive_pairs(state, metric(state, None, "normed"))
    above = int((score >= 0.6).sum())
    visual = int(state.visual.sum())
    assert 3 < above < visual // 2
    few = HierarchicalTemporalMerger((1,), tau=0.6, ratio=0.5)(state, SHALLOW)
    assert int(state.lengths - few.lengths) == above
    capped = HierarchicalTemporalMerger((1,), tau=0.6, ratio=0.04)(state, SHALLOW)
    assert int(state.lengths - capped.lengths) == math.floor(0.04 * visual)
    assert order.shape == score.shape


def test_the_deep_step_catches_up_with_what_the_shallow_one_left():
    merger = HierarchicalTemporalMerger((1, 2), tau=0.9999, ratio=0.5)
    state = make_prompt(tiny_decoder(), [(1, [(3, 3)] * 9, 1)], noise=0.8).state
    visual = int(state.visual.sum())
    shallow = merger(state, SHALLOW)
    assert shallow is state
    deep = merger(shallow, DEEP)
    assert int((deep.visual & deep.valid).sum()) == math.ceil(0.25 * visual)


def test_grids_of_different_sizes_never_meet():
    """High and low resolution alternate: each merges with the last frame of its own grid."""
    state = make_prompt(tiny_decoder(), [(1, [(2, 2), (1, 1)] * 5, 1)], noise=0.0).state
    out = HierarchicalTemporalMerger((1,), tau=0.99, ratio=0.9)(state, SHALLOW)
    assert sorted(out.slot[0][out.slot[0] >= 0].tolist()) == list(range(8))
    assert (out.size[0][out.slot[0] >= 0] == 5).all()
    for row, slot in zip(out.h[0], out.slot[0].tolist(), strict=True):
        if slot >= 0:
            torch.testing.assert_close(row, state.h[0][state.slot[0] == slot][0])


def test_two_videos_of_a_sample_never_meet():
    state = make_prompt(tiny_decoder(), [(1, [(2, 2)] * 3, 1, [(2, 2)] * 3, 1)], noise=0.0).state
    out = HierarchicalTemporalMerger((1,), tau=-1.0, ratio=0.9)(state, SHALLOW)
    assert int((out.slot >= 0).sum()) == 2 * 6
    assert (out.size[out.slot >= 0] == 3).all()


@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_the_mean_over_a_place_survives_both_steps(noise):
    """What tube-wise alignment compares: the size-weighted mean over time of each place."""

    def means(state):
        out = []
        for slot in range(int(state.slot.max()) + 1):
            at = state.slot[0] == slot
            out.append((state.h[0, at] * state.size[0, at, None]).sum(0) / state.size[0, at].sum())
        return torch.stack(out)

    merger = HierarchicalTemporalMerger((1, 2))
    state = make_prompt(tiny_decoder(), [(1, [(2, 2)] * 9, 1)], noise).state
    after = merger(merger(state, SHALLOW), DEEP)
    assert int(after.lengths) < 0.5 * int(state.lengths)
    torch.testing.assert_close(means(after), means(state), atol=1e-6, rtol=1e-5)


def test_line_rows_merge_at_their_own_place_and_frames_never():
    state = make_prompt(tiny_decoder(), [(1, [(2, 2)] * 6, 1)], noise=0.0).state
    out = HierarchicalTemporalMerger((1,), tau=0.9, ratio=0.9)(state, SHALLOW)
    assert int((out.kind == Kind.LINE).sum()) == 2
    assert int((out.kind == Kind.FRAME).sum()) == 6


def test_rows_without_a_slot_stay():
    state = make_prompt(tiny_decoder(), [(1, [(2, 2)] * 6, 1)], noise=0.0).state
    state = state.replace(slot=state.slot.masked_fill(state.kind == Kind.LINE, -1))
    out = HierarchicalTemporalMerger((1,), tau=0.9, ratio=0.9)(state, SHALLOW)
    assert int((out.kind == Kind.LINE).sum()) == 12
    assert int((out.kind == Kind.PATCH).sum()) == 4


@pytest.mark.parametrize(("tau", "ratio"), [(1.01, 0.5), (0.6, 0.0)])
def test_above_one_or_at_zero_nothing_is_merged(tau, ratio):
    merger = HierarchicalTemporalMerger((1, 2), tau, ratio)
    state = make_prompt(tiny_decoder(), SAMPLES, noise=0.0).state
    assert merger(merger(state, SHALLOW), DEEP) is state
    assert merger.schedule(50, 4) == [50, 50, 50, 50]


def test_gradients_flow_through_the_averages_in_proportion_to_size():
    state = make_prompt(tiny_decoder(), [(1, [(1, 1)] * 4, 1)], noise=0.0).state
    h = state.h.clone().requires_grad_()
    out = HierarchicalTemporalMerger((1,), tau=0.9, ratio=0.9)(state.replace(h=h), SHALLOW)
    out.h[0, out.size[0] == 4].sum().backward()
    merged = state.slot[0] >= 0
    torch.testing.assert_close(h.grad[0, merged], torch.full((8, 32), 0.25))
    assert (h.grad[0, ~merged] == 0).all()


def test_streaming_gives_merged_rows_the_latest_rank():
    state = make_prompt(tiny_decoder(), [(1, [(1, 1)] * 4, 1)], noise=0.0).state
    early = HierarchicalTemporalMerger((1,), tau=0.9, ratio=0.9)(state, SHALLOW)
    late = HierarchicalTemporalMerger((1,), tau=0.9, ratio=0.9, streaming=True)(state, SHALLOW)
    assert early.pos.tolist() == late.pos.tolist() == [[0, 1, 2, 3, 4, 7, 10, 13]]
    assert early.rank.tolist() == early.pos.tolist()
    assert late.rank.tolist() == [[0, 1, 11, 12, 4, 7, 10, 13]]
    assert late.frame.tolist() == [[-1, 0, -1, -1, 1, 2, 3, -1]]


def test_the_share_of_alike_pairs_is_logged_for_each_layer():
    llm = tiny_decoder()
    state = make_prompt(llm, SAMPLES, noise=0.0).state
    trace = Trace()
    with torch.no_grad():
        llm(state, HierarchicalTemporalMerger((0, 2), tau=0.5), trace=trace)
    assert float(trace.records["merge/share_layer00"]) == 1.0
    assert 0 <= float(trace.records["merge/share_layer02"]) <= 1


def test_a_sample_alone_merges_as_in_a_batch():
    merger = HierarchicalTemporalMerger((1, 2))
    state = make_prompt(tiny_decoder(), SAMPLES).state
    batch = merger(state, SHALLOW)
    for b in range(len(SAMPLES)):
        alone = merger(take_sample(state, b), SHALLOW)
        assert torch.equal(batch.h[b][batch.valid[b]], alone.h[0])


def test_sites_are_before_the_attention_of_the_layers_named():
    assert HierarchicalTemporalMerger().sites(28) == [(2, "pre_attn"), (6, "pre_attn")]
    with pytest.raises(ValueError, match=r"acts at the layers \[2, 6\], but the language model has only 4"):
        HierarchicalTemporalMerger().sites(4)


@pytest.mark.parametrize("layers", [(), (3, 1), (2, 2)])
def test_layers_must_rise(layers):
    with pytest.raises(ValueError, match="must rise, and name at least one"):
        HierarchicalTemporalMerger(layers)


@pytest.mark.parametrize("ratio", [-0.1, 1.0])
def test_ratio_out_of_range(ratio):
    with pytest.raises(ValueError, match=r"HierarchicalTemporalMerger: ratio=.*give 0 to 0.99"):
        HierarchicalTemporalMerger(ratio=ratio)


def test_schedule_of_the_published_setting():
    """32 frames of 157 tokens through 28 layers: half of the rows from layer 2 on, a quarter from layer 6 on."""
    rows = HierarchicalTemporalMerger().schedule(32 * 157, 28)
    assert rows == [5024] * 2 + [2512] * 4 + [1256] * 22
    assert HierarchicalTemporalMerger((0,), ratio=0.3).schedule(10, 2) == [7, 7]
    assert HierarchicalTemporalMerger((0, 1), ratio=0.2).schedule(100, 2) == [80, 64]
