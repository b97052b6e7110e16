import pytest
import torch

from elva.models.reducers import HoliTomOuter, ReduceContext
from elva.structures import Kind
from elva.testing import REDUCER_CONTRACT
from elva.testing.reducer_contract import draw


def reduce(tokens, **settings):
    return HoliTomOuter(**settings)(tokens, ReduceContext())


def patches(tokens):
    return int((tokens.kind == Kind.PATCH).sum())


def still(frames, seed=0, grid=(14, 14)):
    return draw([(grid,) * frames], noise=0, seed=seed)


def scenes(videos):
    """Still videos of equal length, one after another in the frames of a single one."""
    frames = int(videos[0].frame.max() + 1) // len(videos)
    x = torch.stack([video.x for video in videos])
    return videos[0].replace(x=x.gather(0, (videos[0].frame // frames)[None, ..., None].expand_as(x[:1]))[0])


def noise(tokens, seed=0):
    return torch.randn(tokens.x.shape, generator=torch.Generator().manual_seed(seed))


def test_a_still_video_is_one_window_and_one_frame():
    out = reduce(still(32))
    assert patches(out) == 196
    first = out.kind[0] == Kind.PATCH
    assert (out.pos[0, first, 0] == 0).all() and (out.size[0, first] == 32).all() and (out.frame[0, first] == -1).all()


def test_what_never_stands_still_keeps_the_share_rounded_up_in_each_frame():
    tokens = still(32)
    tokens = tokens.replace(x=noise(tokens))
    out = reduce(tokens)
    assert patches(out) == 32 * 30
    frame = (out.frame[0] == 7) & (out.kind[0] == Kind.PATCH)
    attn = tokens.attn[0].masked_fill((tokens.frame[0] != 7) | (tokens.kind[0] != Kind.PATCH), -1)
    assert torch.equal(out.slot[0, frame], tokens.slot[0, attn.topk(30).indices.sort().values])


def test_two_scenes_are_two_windows():
    out = reduce(scenes([still(32), still(32, seed=1)]))
    assert patches(out) == 392
    assert out.pos[0, out.kind[0] == Kind.PATCH, 0].unique().tolist() == [0, 16]


def test_half_a_frame_that_stands_still():
    tokens = still(32)
    tokens = tokens.replace(x=torch.where((tokens.cell[..., 0] < 7)[..., None], tokens.x, noise(tokens)))
    out = reduce(tokens)
    assert patches(out) == 957
    spans = (out.frame[0] == -1) & (out.kind[0] == Kind.PATCH)
    assert int(spans.sum()) == 29 and (out.pos[0, spans, 0] == 0).all()
    assert int(out.size[0, spans].sum()) == 32 * 98


def test_static_tokens_are_means_over_their_window():
    tokens = draw([((2, 2),) * 4], noise=0.05, delimiters=False)
    out = reduce(tokens, retain=0.5)
    assert torch.allclose(out.x[0], tokens.x[0].unflatten(0, (4, 4)).mean(0), atol=1e-5)


def test_a_centre_keeps_beta_and_takes_the_mean_of_what_joins_it():
    tokens = draw([((2, 2),) * 2, ((2, 2),)], noise=0, delimiters=False)
    out = reduce(tokens, retain=0.25, beta=0.6)
    weights = out.src.dense(out.x.shape[1])[0].unflatten(1, (2, 4)).sum(1)[out.valid[0]]
    assert len(weights) == 2, "r' is a half where one frame of two goes"
    for row, size in zip(weights, out.size[0], strict=False):
        members = int(size) // 2 - 1  # each stands for two frames
        expected = [1.0] if members == 0 else [0.6] + [0.4 / members] * members
        assert sorted(row[row > 0].tolist(), reverse=True) == pytest.approx(sorted(expected, reverse=True))
    assert int(out.size[0].sum()) == 8


def test_frames_of_each_size_have_windows_of_their_own():
    tokens = draw([((4, 4), (2, 2)) * 3], noise=0)
    out = reduce(tokens, retain=0.5)
    own = out.kind[0] == Kind.PATCH
    assert patches(out) == 20
    assert out.pos[0, own, 0].tolist() == [0] * 16 + [1] * 4


def test_a_video_has_its_own_share():
    """Published code carries the share of one video into the next."""
    videos = [((4, 4),) * 4, ((4, 4),) * 4]
    tokens = draw(videos, noise=0)
    x = tokens.x.clone()
    x[1] = noise(tokens)[1]
    out = reduce(tokens.replace(x=x))
    assert (out.kind == Kind.PATCH).sum(1).tolist() == [round(16 * 0.6), 4 * 3]


def test_part_of_the_dynamic_tokens_may_be_clustered():
    tokens = draw([((4, 4),) * 3], delimiters=False)
    out = reduce(tokens, retain=0.5, clustered=0.5, tau=2)
    assert patches(out) == 24
    assert float(out.size.sum()) == 48, "what is not attended joins a centre"
    assert (out.size == 1).sum() >= 12


@pytest.mark.parametrize("check", REDUCER_CONTRACT)
@pytest.mark.parametrize("settings", [dict(tau=0.4, retain=0.3), dict(tau=0.4, retain=0.4, clustered=0.5)])
def test_contract_where_much_stands_still(check, settings):
    check("HoliTomOuter", **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(retain=0), "HoliTomOuter: retain=0 is a share"),
        (dict(beta=2), "HoliTomOuter: beta=2 is a share"),
        (dict(max_window=0), "max_window=0, neighbours=7: give at least 1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        HoliTomOuter(**settings)
