import torch

from elva.models.llms import Trace
from elva.models.mergers import HierarchicalTemporalMerger
from elva.testing import make_prompt, tiny_decoder
from elva.testing.case import SAMPLES


def run(keep_states=False):
    llm, trace = tiny_decoder(), Trace(keep_states=keep_states)
    state = make_prompt(llm, SAMPLES).state
    with torch.no_grad():
        llm(state, HierarchicalTemporalMerger(layers=(1, 2)), trace=trace)
    return state, trace


def test_rows_of_every_layer():
    state, trace = run()
    assert len(trace.rows) == 4
    assert torch.equal(trace.rows[0], state.lengths)
    assert trace.tokens_per_layer() == [float(rows.float().mean()) for rows in trace.rows]
    assert trace.tokens_per_layer()[0] > trace.tokens_per_layer()[1] > trace.tokens_per_layer()[2]


def test_the_log_names_the_first_layer_and_those_where_rows_went():
    _, trace = run()
    log = trace.log_vars()
    assert sorted(log) == ["merge/share_layer01", "merge/share_layer02", "rows/layer00", "rows/layer01", "rows/layer02"]
    assert float(log["rows/layer01"]) == trace.tokens_per_layer()[1]
    assert 0 < float(log["merge/share_layer01"]) < 1


def test_states_are_kept_only_when_asked_for():
    assert run()[1].states == []
    state, trace = run(keep_states=True)
    assert torch.equal(trace.states[0].h, state.h)
    assert [s.h.shape[1] for s in trace.states] == [int(rows.max()) for rows in trace.rows]


def test_records_carry_no_gradient():
    trace = Trace()
    trace.record("share", torch.ones(1, requires_grad=True) * 2)
    assert not trace.records["share"].requires_grad
