import pytest
import torch
from torch.nn import functional as F

from elva.models.reducers import ReduceContext, VisionZip
from elva.structures import Kind
from elva.testing.reducer_contract import draw


def reduce(tokens, **settings):
    return VisionZip(**settings)(tokens, ReduceContext())


@pytest.mark.parametrize(("dominant", "contextual", "expected"), [(190, 30, 221), (53, 10, 64), (53, 0, 54)])
def test_counts_of_the_paper_with_frame_as_the_class_token(dominant, contextual, expected):
    tokens = draw([((24, 24),)])
    out = reduce(tokens, dominant=dominant, contextual=contextual)
    assert int(((out.kind == Kind.PATCH) | (out.kind == Kind.FRAME)).sum()) == expected
    assert int((out.kind == Kind.LINE).sum()) == 24
    if contextual:
        assert float(out.size.sum()) == float(tokens.size.sum()), "every patch is in one token"


def one_by_one(x, attn, keys, dominant, contextual):
    """One frame as the published description goes."""
    order = attn.argsort(descending=True)[:dominant].tolist()
    rest = [i for i in range(len(x)) if i not in order]
    step = len(rest) // contextual
    targets = rest[::step][:contextual]
    members = {target: [] for target in targets}
    for i in rest:
        if i not in targets:
            members[max(targets, key=lambda t: float(F.cosine_similarity(keys[i], keys[t], dim=0)))].append(i)
    tokens = {i: x[i] for i in order}
    for target, own in members.items():
        tokens[target] = x[target] + (x[own].mean(0) if own else 0)
    return torch.stack([tokens[i] for i in sorted(tokens)])


@pytest.mark.parametrize(("dominant", "contextual"), [(5, 3), (0, 4), (12, 4), (10, 5)])
def test_every_frame_is_as_written_out(dominant, contextual):
    tokens = draw([((4, 4),) * 3, ((4, 5),)], delimiters=False)
    out = reduce(tokens, dominant=dominant, contextual=contextual)
    for video in range(2):
        for time in tokens.frame[video][tokens.valid[video]].unique():
            own = tokens.valid[video] & (tokens.frame[video] == time)
            frame = [values[video][own] for values in (tokens.x, tokens.attn, tokens.keys)]
            got = out.x[video][out.valid[video] & (out.frame[video] == time)]
            assert torch.allclose(got, one_by_one(*frame, dominant, contextual), atol=1e-5)


def test_the_weights_of_a_contextual_token_add_up_to_two():
    out = reduce(draw([((4, 4),)]), dominant=5, contextual=2)
    total = out.src.dense(out.x.shape[1])[0].sum(1)[out.kind[0] == Kind.PATCH]
    assert sorted(total.round(decimals=4).tolist()) == [1] * 5 + [2] * 2


def test_numbers_are_cut_to_what_a_frame_has():
    tokens = draw([((4, 4), (2, 2))], delimiters=False)
    out = reduce(tokens, dominant=3, contextual=4)
    assert [(out.frame == frame).sum().item() for frame in (0, 1)] == [7, 4]
    assert torch.equal(reduce(tokens, dominant=100).x, tokens.x)


def test_no_patch_at_all_is_refused():
    with pytest.raises(ValueError, match="dominant=0, contextual=0 patches a frame"):
        VisionZip(0, 0)
