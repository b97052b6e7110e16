import pytest
import torch
from torch.nn import functional as F

from elva.models.reducers import FastVID, ReduceContext
from elva.structures import Kind
from elva.testing import REDUCER_CONTRACT
from elva.testing.reducer_contract import draw

NOTHING = ReduceContext()


def still(frames, grid=(4, 5), **settings):
    """A video without changes of scene, of patches alone, and what is left of it."""
    tokens = draw([(grid,) * frames], delimiters=False, noise=0.1)
    return tokens, FastVID(segments=1, tau=-1.0, **settings)(tokens, NOTHING)


@pytest.mark.parametrize("frames", [1, 3, 4, 5, 9])
def test_counts_of_a_segment(frames):
    tokens, out = still(frames, retain=0.25)  # 5 of 20 patches a frame: 3 attended, 2 places for anchors
    anchor_frames = -(-frames // 4)
    assert int(out.valid.sum()) == 3 * frames + anchor_frames * (2 * frames // anchor_frames)
    torch.testing.assert_close(out.size.sum(), tokens.size.sum())
    torch.testing.assert_close(out.attn.sum(), tokens.attn.sum())


def test_the_most_attended_stay_as_they_are():
    tokens, out = still(6, retain=0.25)
    top = tokens.attn.view(6, 20).topk(3).indices + torch.arange(6)[:, None] * 20
    for row in top.flatten().tolist():
        assert (out.x[0] == tokens.x[0, row]).all(1).any()
    assert int((out.size == 1).sum()) >= 18


def test_anchors_stand_in_the_last_frame_and_every_fourth_before_it():
    _, out = still(6, retain=0.25)
    anchors = out.size[0] > 1
    assert out.pos[0][anchors][:, 0].unique().tolist() == [1, 5]
    assert (out.frame[0][anchors] == -1).all() and (out.frame[0][~anchors] >= 0).all()
    assert int(anchors.sum()) == 2 * (2 * 6 // 2)


def test_an_anchor_is_itself_and_the_mean_of_what_is_most_like_it():
    tokens, out = still(3, retain=0.25, beta=0.7)
    assert tokens.attn is not None
    attended = torch.zeros(3, 20, dtype=torch.bool).scatter(1, tokens.attn.view(3, 20).topk(3).indices, True)
    rest = tokens.x[0][~attended.flatten()]
    anchors = out.size[0] > 1
    kept = out.src.dense(out.valid.shape[1])[0][anchors].argmax(1)  # beta is the greatest weight of each
    nearest = (F.normalize(rest, dim=1) @ F.normalize(tokens.x[0, kept], dim=1).T).argmax(1)
    means = torch.stack([rest[nearest == index].mean(0) for index in range(len(kept))])
    torch.testing.assert_close(out.x[0][anchors], 0.7 * tokens.x[0, kept] + 0.3 * means)
    assert out.size[0][anchors].tolist() == torch.bincount(nearest).tolist()


def test_scenes_do_not_mix():
    first, second = draw([((4, 5),) * 4], delimiters=False, noise=0.1), draw([((4, 5),) * 4], False, 0.1, seed=5)
    tokens = draw([((4, 5),) * 8], delimiters=False)
    tokens = tokens.replace(x=torch.cat((first.x, second.x), 1))
    out = FastVID(retain=0.25, segments=1, tau=0.9)(tokens, NOTHING)
    made_of = out.src.dense(out.valid.shape[1])[0] != 0
    assert not (made_of[:, :80].any(1) & made_of[:, 80:].any(1)).any()
    assert int(out.valid.sum()) == 2 * (3 * 4 + 2 * 4)


def test_frames_of_two_grids_and_their_delimiters():
    tokens = draw([((4, 4), (2, 2)) * 4])
    out = FastVID(retain=0.5)(tokens, NOTHING)
    for kind in (Kind.FRAME, Kind.LINE):
        assert int((out.kind == kind).sum()) == int((tokens.kind == kind).sum())
    made_of = out.src.dense(out.valid.shape[1])[0] != 0
    fine = (tokens.grid[0] == 4).all(1) & (tokens.kind[0] == Kind.PATCH)
    coarse = (tokens.grid[0] == 2).all(1) & (tokens.kind[0] == Kind.PATCH)
    assert made_of[:, fine].any() and made_of[:, coarse].any()
    assert not (made_of[:, fine].any(1) & made_of[:, coarse].any(1)).any()


@pytest.mark.parametrize("check", REDUCER_CONTRACT)
def test_with_long_segments_it_keeps_the_contract_too(check):
    check("FastVID", retain=0.5, segments=1, tau=-1.0, stride=2)


@pytest.mark.parametrize("settings", [dict(retain=0.0), dict(context=1.2), dict(stride=0)])
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match="FastVID: .*" + next(iter(settings))):
        FastVID(**settings)
