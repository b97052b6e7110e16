import pytest
import torch

from elva.models.reducers import DyCokeTTM, ReduceContext
from elva.structures import Kind
from elva.testing.reducer_contract import draw


def reduce(tokens, **settings):
    return DyCokeTTM(**settings)(tokens, ReduceContext())


def patches(tokens):
    return int((tokens.kind == Kind.PATCH).sum())


@pytest.mark.parametrize(("frames", "intended", "published"), [(8, 740, 878), (16, 1480, 1618), (32, 2960, 3098)])
def test_counts_of_the_paper_and_of_its_code(frames, intended, published):
    tokens = draw([((14, 14),) * frames])
    assert patches(reduce(tokens)) == intended
    out = reduce(tokens, published=True)
    assert patches(out) == published
    assert int((out.kind == Kind.LINE).sum()) == 14 * frames


@pytest.mark.parametrize(("frames", "per_frame"), [(1, [10]), (2, [10, 3]), (3, [10, 3, 3]), (6, [10, 3, 3, 3, 10, 3])])
def test_a_window_that_is_cut_off_goes_as_far_as_it_goes(frames, per_frame):
    out = reduce(draw([((2, 5),) * frames]))
    own = out.frame[out.kind == Kind.PATCH]
    assert [(own == frame).sum().item() for frame in range(frames)] == per_frame


def test_of_each_frame_the_least_similar_sites_stay_in_raster_order():
    tokens = draw([((4, 4),) * 4], delimiters=False)
    out = reduce(tokens, ratio=0.5)
    x, left = tokens.x[0].unflatten(0, (4, 16)), out.slot[0]
    for frame, other in ((1, 0), (2, 0), (3, 2)):
        likeness = torch.nn.functional.cosine_similarity(x[frame], x[other])
        expected = likeness.argsort()[:8].sort().values
        own = out.frame[0] == frame
        assert torch.equal(left[own], tokens.slot[0, :16][expected])
        assert torch.equal(out.x[0][own], x[frame][expected])


def test_frames_of_each_size_have_windows_of_their_own():
    tokens = draw([((4, 5), (2, 5), (4, 5), (2, 5), (4, 5), (2, 5))])
    out = reduce(tokens)
    own = out.frame[out.kind == Kind.PATCH]
    assert [(own == frame).sum().item() for frame in range(6)] == [20, 10, 6, 3, 6, 3]


def test_shares_are_exact():
    """In binary ``1 - 0.9`` of 10 patches is a little less than one."""
    out = reduce(draw([((2, 5),) * 2], delimiters=False), ratio=0.9)
    assert (out.frame == 1).sum() == 1


def test_a_ratio_above_one_is_refused():
    with pytest.raises(ValueError, match="DyCokeTTM: ratio=1.5"):
        DyCokeTTM(ratio=1.5)
