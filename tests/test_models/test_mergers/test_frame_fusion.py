import math

import pytest
import torch
from torch.nn.functional import cosine_similarity

from elva.models.llms import Trace
from elva.models.mergers import FrameFusion, Site
from elva.structures import Kind
from elva.testing import MERGER_CONTRACT, make_prompt, tiny_decoder
from elva.testing.builders import take_sample
from elva.testing.case import SAMPLES, run
from elva.testing.merger_numbers import lone_view

DEPTH = 28


def clip(x_TNC):
    """Frames of patches in one row, no ``FRAME`` and no ``LINE``, with a text row before and two behind."""
    frames, places, channels = x_TNC.shape
    state = make_prompt(tiny_decoder(), [(1, [(1, places)] * frames, 2)]).state
    state = state.select((state.kind == Kind.TEXT) | (state.kind == Kind.PATCH))
    h = torch.randn(*state.h.shape[:2], channels, generator=torch.Generator().manual_seed(7))
    h[0, 1:-2] = x_TNC.flatten(0, 1)
    return state.replace(h=h)


def loads(state, merger, depth=DEPTH):
    """Visual rows that enter the attention of each layer, where the layers themselves change nothing."""
    rows = []
    for layer, when in merger.sites(depth):
        state = merger(state, Site(layer, when), lone_view(state))
        rows.append(int(state.visual.sum()))
    return rows


def random_clip(frames=32, places=196):
    return clip(torch.randn(frames, places, 64, generator=torch.Generator().manual_seed(0)))


def still_clip():
    return clip(torch.randn(1, 196, 64, generator=torch.Generator().manual_seed(0)).expand(32, -1, -1))


def test_frames_that_have_nothing_in_common_are_pruned_after_one_layer():
    """The mean over 28 layers is to be 0.3: one whole layer leaves (28 x 0.3 - 1) / 27 of 6,272 rows for the others."""
    rows = loads(random_clip(), FrameFusion(cost=0.3))
    assert rows == [6272] + [1719] * 27
    assert sum(rows) == pytest.approx(0.3 * 28 * 6272, abs=14)


@pytest.mark.parametrize(("cost", "left"), [(0.3, 1882), (1 / 32, 196)])
def test_frames_that_are_all_the_same_merge_as_far_as_the_budget_asks(cost, left):
    """Not to one frame of 196 rows, but for the budget that says so."""
    assert loads(still_clip(), FrameFusion(cost=cost)) == [left] * 28


def test_a_shallower_model_has_less_to_make_up_with():
    """(8 x 0.3 - 1) / 7 = 0.2 of the rows are left for seven of eight layers."""
    assert loads(random_clip(8, 50), FrameFusion(cost=0.3), depth=8) == [400] + [80] * 7


class Naive:
    """One sample, row by row, with shares of the rows of each layer, as the published code counts."""

    def __init__(self, state, cost, tau, depth):
        names = ("h", "pos", "slot", "size", "visual", "kind")
        self.rows = [{n: getattr(state, n)[0, i] for n in names} for i in range(int(state.lengths[0]))]
        self.cost, self.tau, self.depth = cost, tau, depth
        self.dropped, self.merging, self.pruning = [], True, True

    def step(self, weight):
        if self.pruning and not self.merging:
            self._prune(weight)
        elif self.merging:
            self._merge()

    def _share_to_drop(self):
        here, load = 1.0, 0.0
        for share in self.dropped:
            here *= 1 - share
            load += here
        rest = self.depth * self.cost - load
        return max(0.0, 1 - rest / ((self.depth - len(self.dropped)) * here))

    def _visual(self):
        return [i for i, row in enumerate(self.rows) if row["visual"]]

    def _prune(self, weight):
        keep = max(1, round(len(self._visual()) * (1 - self._share_to_drop()) + 1e-9))
        frames = [i for i in self._visual() if self.rows[i]["kind"] == Kind.FRAME]
        rest = sorted(set(self._visual()) - set(frames), key=lambda i: -float(weight[i]))
        kept = set(frames + rest[: max(0, keep - len(frames))])
        self.rows = [row for i, row in enumerate(self.rows) if not row["visual"] or i in kept]
        self.pruning = False

    def _merge(self):
        visual, last, pairs = self._visual(), {}, []
        for i in visual:
            slot = int(self.rows[i]["slot"])
            if slot >= 0 and slot in last:
                pairs.append((cosine_similarity(self.rows[last[slot]]["h"], self.rows[i]["h"], dim=0), last[slot], i))
            last[slot] = i
        alike = [pair for pair in pairs if pair[0] >= self.tau]
        most = math.floor(len(visual) * self._share_to_drop() + 1e-6)
        if len(alike) >= most:
            alike, self.merging, self.pruning = sorted(alike, key=lambda p: -p[0])[:most], False, False
        else:
            self.dropped.append(len(alike) / len(visual))
            self.merging = self.dropped[-1] >= 0.1
        self._join({after: before for _, before, after in alike})

    def _join(self, before):
        members = {}
        for i in range(len(self.rows)):
            head = i
            while head in before:
                head = before[head]
            members.setdefault(head, []).append(self.rows[i])
        self.rows = [self._mean(members[head]) for head in sorted(members)]

    @staticmethod
    def _mean(rows):
        size = sum(row["size"] for row in rows)
        return {**rows[0], "size": size, "h": sum(row["size"] * row["h"] for row in rows) / size}


def clips(noises):
    """Samples that come to their ends at different layers."""
    samples = [(2, [(2, 3)] * (5 + 2 * i), 1 + i) for i in range(len(noises))]
    states = [make_prompt(tiny_decoder(), samples, noise, seed=3).state for noise in noises]
    h = torch.stack([states[i].h[i] for i in range(len(noises))])
    return states[0].replace(h=h)


@pytest.mark.parametrize("cost", [0.2, 0.45, 0.7])
@pytest.mark.parametrize("tau", [0.5, 0.65])
def test_a_batch_is_reduced_as_each_sample_is_row_by_row(cost, tau):
    noises = (0.05, 0.75, 0.9, 3.0)
    state, merger, depth = clips(noises), FrameFusion(cost, tau, similarity="raw"), 6
    expected = [Naive(take_sample(state, b), cost, tau, depth) for b in range(len(noises))]
    for layer, when in merger.sites(depth):
        view = lone_view(state)
        weight_BL = view.rows(state.lengths[:, None] - 1).mean(1).squeeze(1)
        state = merger(state, Site(layer, when), view)
        for b, naive in enumerate(expected):
            naive.step(weight_BL[b])
            valid = state.valid[b]
            assert state.pos[b][valid].tolist() == [int(row["pos"]) for row in naive.rows]
            assert state.size[b][valid].tolist() == [float(row["size"]) for row in naive.rows]
            torch.testing.assert_close(state.h[b][valid], torch.stack([row["h"] for row in naive.rows]))


def test_samples_of_a_batch_end_at_different_layers():
    """What the test above would not show if all of them took the same road."""
    state, merger = clips((0.05, 0.75, 0.9, 3.0)), FrameFusion(0.45, 0.65, similarity="raw")
    history = []
    for layer, when in merger.sites(6):
        state = merger(state, Site(layer, when), lone_view(state))
        history.append(state.memo["frame_fusion/stage"].tolist())
    ends = [[stages[b] for stages in history].index(2) for b in range(4)]
    assert len(set(ends)) > 1
    assert history[-1] == [2, 2, 2, 2]


def test_the_mean_load_is_the_budget_inside_a_model():
    llm = tiny_decoder(8)
    state = make_prompt(llm, [(3, [(4, 4)] * 12, 4), (1, [(5, 5)] * 6, 2)]).state
    _, trace = run(llm, state, FrameFusion(cost=0.4))
    rows = torch.stack([(s.visual & s.valid).sum(1) for s in trace.states]).float()
    torch.testing.assert_close(rows.mean(0) / state.visual.sum(1), torch.full((2,), 0.4), atol=0.01, rtol=0)


@pytest.mark.parametrize("similarity", ["raw", "normed"])
def test_similarity_is_measured_on_what_is_asked_for(similarity):
    """Raw rows with a huge channel are all alike; through the layer's norm they are not."""
    state = random_clip(8, 20)
    huge = state.h.clone()
    huge[..., 0] = 1000.0
    rows = loads(state.replace(h=huge), FrameFusion(0.3, similarity=similarity), depth=4)
    assert rows[0] == (48 if similarity == "raw" else 160)


def test_one_frame_is_pruned():
    """An image has no pairs: one layer sees all of it, the others as much as the budget leaves."""
    assert loads(random_clip(1, 100), FrameFusion(cost=0.5), depth=5) == [100, 38, 38, 38, 38]


def test_frame_rows_stay_and_one_row_if_the_budget_is_spent():
    state = make_prompt(tiny_decoder(), [(1, [(2, 2)] * 6, 2)], noise=5.0).state
    merger = FrameFusion(cost=0.1)
    assert loads(state, merger, depth=4) == [42, 6, 6, 6]
    assert loads(random_clip(2, 30), merger, depth=4) == [60, 1, 1, 1]


def test_pruning_needs_a_question_and_says_so():
    state, merger = (
        make_prompt(tiny_decoder(), [(1, [(2, 2)] * 6), (1, [(2, 2)] * 6, 2)], noise=5.0).state,
        FrameFusion(),
    )
    merger.sites(4)
    waiting = merger(state, Site(0, "pre_attn"), lone_view(state))
    with pytest.raises(ValueError, match=r"FrameFusion ranks .* samples \[0\] of this batch end with visual rows"):
        merger(waiting, Site(0, "post_attn"), lone_view(waiting))
    with pytest.raises(ValueError, match="FrameFusion ranks rows by attention: it needs a language model's view"):
        merger(waiting, Site(0, "post_attn"))


def test_a_sample_without_a_question_is_no_matter_while_it_only_merges():
    state = make_prompt(tiny_decoder(), [(1, [(2, 2)] * 6), (1, [(2, 2)] * 6, 2)], noise=0.0).state
    h = state.h.clone()
    h[1, 1:-2] = torch.randn(h[1, 1:-2].shape, generator=torch.Generator().manual_seed(0))
    state, merger = state.replace(h=h), FrameFusion(cost=0.5)
    for layer, when in merger.sites(4):
        state = merger(state, Site(layer, when), lone_view(state))
    assert (state.visual & state.valid).sum(1).tolist() == [21, 14]


def test_text_alone_is_left_as_it_is():
    state, merger = make_prompt(tiny_decoder(), [(5,), (3,)]).state, FrameFusion()
    for layer, when in merger.sites(4):
        state = merger(state, Site(layer, when), lone_view(state))
    assert state.lengths.tolist() == [5, 3]


def test_the_share_of_alike_pairs_is_logged():
    llm, trace = tiny_decoder(4), Trace()
    with torch.no_grad():
        llm(make_prompt(llm, SAMPLES[:1], noise=0.0).state, FrameFusion(), trace=trace)
    assert 0.6 < float(trace.records["merge/share_layer00"]) < 1


@pytest.mark.parametrize("check", MERGER_CONTRACT)
@pytest.mark.parametrize("settings", [{"cost": 0.8, "tau": 0.3}, {"tau": 1.1}])
def test_contract(check, settings):
    check("FrameFusion", **settings)


def test_sites_and_settings():
    assert FrameFusion().sites(3) == [(0, "pre_attn"), (0, "post_attn"), (1, "post_attn")]
    for cost in (0.0, 1.5):
        with pytest.raises(ValueError, match=f"FrameFusion: cost={cost} is the share .* above 0, at most 1"):
            FrameFusion(cost=cost)
