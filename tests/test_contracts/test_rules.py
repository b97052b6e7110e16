"""The rules themselves: that they hold without a merger, and that the contract suite catches whoever breaks one."""

from dataclasses import replace

import pytest
import torch

from elva.models.attention import AttnMask
from elva.models.llms import HFDecoder
from elva.models.llms.cached_rows import CachedRows
from elva.models.mergers import HierarchicalTemporalMerger, Merger, ToMe
from elva.registry import MERGERS
from elva.structures import Kind
from elva.testing import MERGER_CONTRACT, make_prompt, tiny_decoder
from elva.testing.case import SAMPLES, run
from elva.testing.merger_numbers import ignores_a_huge_channel

CHECKS = {check.__name__: check for check in MERGER_CONTRACT}


@pytest.fixture
def registered():
    """Registers a merger for one test."""
    names = []

    def register(cls):
        MERGERS.register_module(module=cls)
        names.append(cls.__name__)
        return cls.__name__

    yield register
    for name in names:
        del MERGERS.module_dict[name]


class Wrong(Merger):
    """A merger of the second layer; its subclasses break one rule each."""

    def sites(self, depth):
        return [(1, "pre_attn")]


class DropsText(Wrong):
    def forward(self, state, site, attn=None):
        return state.select(state.pos != 1)


class DropsFrames(Wrong):
    def forward(self, state, site, attn=None):
        return state.select((state.kind != Kind.FRAME) | (state.pos < 4))


class MixesKinds(Wrong):
    """Each ``LINE`` joins the patch before it."""

    def forward(self, state, site, attn=None):
        rows = torch.arange(state.h.shape[1]).expand_as(state.pos)
        return state.fold(torch.where(state.kind == Kind.LINE, rows - 1, rows))


class Reorders(Wrong):
    """Exchanges two rows of the first frame."""

    def forward(self, state, site, attn=None):
        order = torch.arange(state.h.shape[1])
        order[4:6] = torch.tensor([5, 4])
        names = ("h", "pos", "rank", "size", "frame", "slot", "kind", "valid")
        return state.replace(
            **{name: getattr(state, name)[:, order] for name in names}, src=state.src.moved(order.expand_as(state.pos))
        )


class Renumbers(HierarchicalTemporalMerger):
    """Gives the surviving rows new positions."""

    def forward(self, state, site, attn=None):
        out = super().forward(state, site, attn)
        return out.replace(pos=torch.arange(out.h.shape[1]).expand_as(out.pos) * out.valid)


class Unweighted(HierarchicalTemporalMerger):
    """Takes plain means, so that the second merge counts a row of four like a single one."""

    def forward(self, state, site, attn=None):
        return super().forward(state.replace(size=state.valid.float()), site, attn)


class Forgets(HierarchicalTemporalMerger):
    """Loses track of where the rows came from."""

    def forward(self, state, site, attn=None):
        out = super().forward(state, site, attn)
        return out.replace(src=type(out.src)(out.src.dst, (out.src.dst >= 0).float()))


class LooksAside(Wrong):
    """Drops the patches that are smaller than the mean over the whole batch, padding and other samples included."""

    def forward(self, state, site, attn=None):
        norm = state.h.norm(dim=-1)
        return state.select(~state.mergeable | (norm > norm.mean()))


class Inexact(HierarchicalTemporalMerger):
    """Its identity settings change the last bits."""

    def forward(self, state, site, attn=None):
        return super().forward(state.replace(h=state.h * 1.000001), site, attn)


class Leaks(HierarchicalTemporalMerger):
    """Takes ``streaming``, and lets merged rows be seen by whoever saw the first of their members."""

    def __init__(self, streaming=False):
        super().__init__()


class CountsTooLow(HierarchicalTemporalMerger):
    """Takes more away than its schedule says."""

    def schedule(self, n_visual, depth):
        return [n_visual] * depth


class Loops(Wrong):
    """Goes through the rows one by one."""

    def forward(self, state, site, attn=None):
        keep = torch.ones_like(state.valid)
        for row in range(0, state.h.shape[1], 2):
            keep[:, row] &= ~state.mergeable[:, row]
        return state.select(keep)


class Widens(HierarchicalTemporalMerger):
    """Returns float32 whatever it is given."""

    def forward(self, state, site, attn=None):
        out = super().forward(state, site, attn)
        return out.replace(h=out.h.float())


class Detaches(HierarchicalTemporalMerger):
    """Merges without a gradient."""

    def forward(self, state, site, attn=None):
        return super().forward(state.replace(h=state.h.detach()), site, attn)


class ComparesRaw(HierarchicalTemporalMerger):
    """Measures similarity on the raw residual stream."""

    def __init__(self, similarity="raw"):
        super().__init__(similarity=similarity)


class Idle(HierarchicalTemporalMerger):
    """Names no site, so nothing ever happens."""

    def sites(self, depth):
        return []


class TouchesText(HierarchicalTemporalMerger):
    """Changes text rows a little."""

    def forward(self, state, site, attn=None):
        h = torch.where((state.kind == Kind.TEXT)[..., None], state.h + 1e-3, state.h)
        return super().forward(state.replace(h=h), site, attn)


@pytest.mark.parametrize(
    ("wrong", "check", "message"),
    [
        (Idle, "shortens_the_sequence", "rows"),
        (DropsText, "keeps_text_frames_kinds_and_order", "number of TEXT rows"),
        (DropsText, "keeps_account_of_every_row", "text was dropped"),
        (DropsFrames, "keeps_text_frames_kinds_and_order", "number of FRAME rows"),
        (MixesKinds, "keeps_text_frames_kinds_and_order", "different kinds"),
        (Reorders, "keeps_text_frames_kinds_and_order", "order of the surviving rows"),
        (Renumbers, "keeps_text_frames_kinds_and_order", "of the anchor"),
        (Renumbers, "ranks_merged_rows", "rank"),
        (Unweighted, "averages_by_size", "averaged by size"),
        (Unweighted, "keeps_account_of_every_row", "size is that"),
        (Forgets, "keeps_account_of_every_row", "add up to 1"),
        (TouchesText, "averages_by_size", "averaged by size"),
        (Inexact, "averages_by_size", "row that nothing was merged into changed"),
        (TouchesText, "leaves_text_alone", "text alone was changed"),
        (LooksAside, "ignores_padding_and_neighbours", "of sample"),
        (Inexact, "does_nothing_at_identity_settings", "changes the numbers"),
        (Leaks, "hides_the_future", "rows that may not see row"),
        (Leaks, "ranks_merged_rows", "rank"),
        (CountsTooLow, "promises_no_less_than_it_leaves", "below the schedule"),
        (Loops, "costs_as_many_calls_for_a_long_clip", "operations for 67 rows"),
        (Widens, "keeps_the_data_type", "bfloat16 became"),
        (Detaches, "passes_the_gradient_on", "no gradient"),
        (ComparesRaw, "ignores_a_huge_channel", "became part of|after the merge"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_the_contract_catches(registered, wrong, check, message):
    with pytest.raises(AssertionError, match=message):
        CHECKS[check](registered(wrong))


@pytest.mark.parametrize(
    "check", ["keeps_positions", "decodes_as_a_recompute_does", "serves_many_questions_from_one_cache"]
)
def test_the_contract_catches_a_loop_that_counts_on_from_the_rows_left(check, monkeypatch):
    forward = HFDecoder.forward

    def counts_rows(self, state, merger=None, cache=None, trace=None, selector=None):
        out = forward(self, state, merger, cache, trace, selector)
        if cache is not None and merger is not None:
            cache.next_pos = out.lengths
        return out

    monkeypatch.setattr(HFDecoder, "forward", counts_rows)
    with pytest.raises(AssertionError, match="next position|cached decoding|question"):
        CHECKS[check]("HierarchicalTemporalMerger")


@pytest.mark.parametrize("check", ["decodes_as_a_recompute_does", "serves_many_questions_from_one_cache"])
def test_the_contract_catches_a_cache_that_shows_padding(check, monkeypatch):
    mask = CachedRows.mask
    shown = {"full": True, "causal": False}
    monkeypatch.setattr(CachedRows, "mask", lambda self, *args: replace(mask(self, *args), **shown))
    with pytest.raises(AssertionError, match="cached decoding|question"):
        CHECKS[check]("HierarchicalTemporalMerger")


@pytest.mark.parametrize("merger", [HierarchicalTemporalMerger, ToMe])
def test_similarity_of_the_raw_residual_stream_is_ruled_by_a_huge_channel(merger):
    ignores_a_huge_channel(merger.__name__)
    with pytest.raises(AssertionError):
        ignores_a_huge_channel(merger.__name__, similarity="raw")


@pytest.mark.parametrize("merger", [None, HierarchicalTemporalMerger(layers=(1, 2)), ToMe(layers=(1, 2))])
def test_no_mask_tensor_is_built_in_the_causal_case(merger, monkeypatch):
    """Also where rows were merged and where a batch is padded."""
    monkeypatch.setattr(AttnMask, "dense", property(lambda mask: pytest.fail("a mask tensor was built")))
    llm = tiny_decoder(4)
    out, _ = run(llm, make_prompt(llm, SAMPLES).state, merger)
    assert out.padded
    two_way = tiny_decoder(4, frame_mask="bidirectional")
    state = make_prompt(two_way, SAMPLES).state
    with pytest.raises(pytest.fail.Exception, match="a mask tensor was built"):
        run(two_way, state, merger)


def test_rows_of_one_frame_see_each_other_and_nothing_later():
    """Two-way within a frame: changing a frame's last row changes its first row, and no earlier frame."""
    llm = tiny_decoder(4, frame_mask="bidirectional")
    state = make_prompt(llm, [(2, [(2, 2)] * 3, 3)]).state
    frames = state.frame[0]
    last = int((frames == 1).nonzero().max())
    nudged = state.h.clone()
    nudged[0, last] += 1.0
    before, after = run(llm, state, None)[0].h[0], run(llm, state.replace(h=nudged), None)[0].h[0]
    changed = (before - after).abs().amax(1) > 1e-4
    rows = torch.arange(len(frames))
    assert changed.tolist() == (rows >= int((frames == 1).nonzero().min())).tolist()


def test_causal_rows_see_what_came_before_and_nothing_later():
    llm = tiny_decoder(4)
    state = make_prompt(llm, [(2, [(2, 2)] * 3, 3)]).state
    nudged = state.h.clone()
    nudged[0, 9] += 1.0
    before, after = run(llm, state, None)[0].h[0], run(llm, state.replace(h=nudged), None)[0].h[0]
    assert torch.equal(before[:9], after[:9])
    assert ((before - after)[9:].abs().amax(1) > 1e-4).all()
