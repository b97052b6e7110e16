import math

import pytest
import torch

from elva.models.reducers import DTD, ReduceContext
from elva.registry import TOKENIZERS
from elva.structures import Clip, FramePlan, Kind, SourceMap
from elva.testing import REDUCER_CONTRACT
from elva.testing.builders import CHANNELS
from elva.testing.reducer_contract import context_of, draw

NOTHING = ReduceContext()


def video(x_TNC, delimiters=False):
    """Tokens of T frames of 2 x 2 patches with these features."""
    tokens = draw([((2, 2),) * len(x_TNC)], delimiters=delimiters)
    x = tokens.x.clone()
    x[tokens.kind == Kind.PATCH] = x_TNC.flatten(0, 1)
    return tokens.replace(x=x)


def drift(frames, degrees):
    angle = torch.arange(frames) * math.radians(degrees)
    plane = torch.nn.functional.one_hot(torch.tensor([0, 1]), CHANNELS).float()
    return (angle.cos()[:, None] * plane[0] + angle.sin()[:, None] * plane[1])[:, None].expand(-1, 4, -1)


def patches(tokens):
    return int((tokens.kind == Kind.PATCH).sum())


@pytest.mark.parametrize("reference", ["prev", "last_kept"])
def test_of_frames_that_are_all_the_same_one_is_left(reference):
    still = torch.randn(1, 4, CHANNELS).expand(37, -1, -1)
    out = DTD(reference=reference)(video(still), NOTHING)
    assert patches(out) == 4 and (out.frame[0] == 0).all()


def test_frames_that_share_nothing_stay():
    tokens = draw([((4, 4),) * 8], delimiters=False).replace(x=torch.randn(1, 128, 512))
    assert patches(DTD()(tokens, NOTHING)) == 128


def test_slow_drift_is_lost_on_the_frame_before_and_not_on_the_last_kept():
    tokens, threshold = video(drift(37, 10)), math.cos(math.radians(55))
    assert patches(DTD(threshold=threshold, reference="prev")(tokens, NOTHING)) == 4
    kept = DTD(threshold=threshold, reference="last_kept")(tokens, NOTHING)
    assert kept.frame[0].unique().tolist() == [0, 6, 12, 18, 24, 30, 36] and patches(kept) == 28


def naive(tokens, alike, reference):
    """The places kept, one by one."""
    kept, last = [], {}
    for row in range(tokens.x.shape[1]):
        if tokens.kind[0, row] != Kind.PATCH:
            continue
        slot = int(tokens.slot[0, row])
        if slot in last and alike(row, last[slot]):
            if reference == "prev":
                last[slot] = row
            continue
        kept.append(row)
        last[slot] = row
    return kept


def patch_of(tokens, clip, row):
    frame = int(tokens.frame[0, row])
    size = clip.plan.sizes[frame]
    groups = clip.plan.groups()
    picture = clip.pixels[list(groups).index(size)][groups[size].index(frame)]
    (h, w), (r, c) = tokens.grid[0, row].tolist(), tokens.cell[0, row].tolist()
    p, q = size[0] // h, size[1] // w
    return picture[:, r * p : (r + 1) * p, c * q : (c + 1) * q]


FRAMES = [((4, 4),) * 6, ((4, 4), (2, 2), (4, 4), (2, 2), (2, 2), (4, 4))]


@pytest.mark.parametrize("reference", ["prev", "last_kept"])
@pytest.mark.parametrize("frames", FRAMES)
def test_features_are_compared_place_by_place(reference, frames):
    tokens = draw([frames])
    unit = torch.nn.functional.normalize(tokens.x[0], dim=-1)
    rows = naive(tokens, lambda a, b: float(unit[a] @ unit[b]) > 0.62, reference)
    kept = DTD(threshold=0.62, reference=reference).kept(tokens, NOTHING)[0] & (tokens.kind[0] == Kind.PATCH)
    assert kept.nonzero()[:, 0].tolist() == rows and 0 < len(rows) < patches(tokens)


@pytest.mark.parametrize("reference", ["prev", "last_kept"])
@pytest.mark.parametrize("frames", FRAMES)
def test_pixels_are_compared_place_by_place(reference, frames):
    tokens, context = draw([frames]), context_of([frames])

    def alike(a, b):
        difference = patch_of(tokens, context.clips[0], a) - patch_of(tokens, context.clips[0], b)
        return float(difference.abs().mean()) < 0.33

    rows = naive(tokens, alike, reference)
    reducer = DTD("pixel", threshold=0.33, reference=reference)
    kept = reducer.kept(tokens, context)[0] & (tokens.kind[0] == Kind.PATCH)
    assert kept.nonzero()[:, 0].tolist() == rows and 0 < len(rows) < patches(tokens)


@pytest.mark.parametrize("ratio", [0.0, 0.25, 0.7, 1.0])
def test_a_ratio_drops_that_share_of_each_frame_but_the_first(ratio):
    tokens = draw([((4, 4),) * 5], delimiters=False)
    out = DTD(ratio=ratio)(tokens, NOTHING)
    assert torch.bincount(out.frame[0], minlength=5).tolist() == [16] + [16 - int(16 * ratio)] * 4
    unit = torch.nn.functional.normalize(tokens.x[0], dim=-1).view(5, 16, -1)
    cosine = (unit[1:] * unit[:-1]).sum(-1)
    kept = DTD(ratio=ratio).kept(tokens, NOTHING)[0].view(5, 16)[1:]
    if 0 < ratio < 1:
        assert (cosine.masked_fill(~kept, -2).amax(1) <= cosine.masked_fill(kept, 2).amin(1)).all()


def test_a_line_stays_while_a_patch_of_its_row_does():
    x = torch.randn(1, 4, CHANNELS).repeat(3, 1, 1)
    x[1, 2] = -x[0, 2]  # the second row changes in frame 1, and changes back
    out = DTD()(video(x, delimiters=True), NOTHING)
    assert out.kind[0].tolist() == [2, 3, 3, 4, 3, 3, 4] + [2, 3, 4] * 2
    assert out.cell[0][out.frame[0] == 1][1:].tolist() == [[1, 0], [1, 2]]


@pytest.mark.parametrize("reference", ["prev", "last_kept"])
@pytest.mark.parametrize("settings", [dict(threshold=0.6), dict(ratio=0.5)])
def test_a_stream_in_chunks_is_reduced_as_the_whole(reference, settings):
    tokens = draw([((4, 4), (2, 2), (4, 4)) * 4], delimiters=False)
    reducer = DTD(reference=reference, **settings)
    whole = reducer.kept(tokens, NOTHING)[0]
    streamed = torch.zeros_like(whole)
    for start in range(0, 12, 3):
        earlier = (tokens.frame[0] < start) & (whole if reference == "last_kept" else True)
        last = {int(tokens.slot[0, row]): int(row) for row in earlier.nonzero()[:, 0]}
        chunk = (tokens.frame[0] >= start) & (tokens.frame[0] < start + 3)
        given = chunk.clone()
        given[list(last.values())] = True
        part = tokens.select(given[None]).replace(src=SourceMap.identity(torch.ones(1, int(given.sum())).bool()))
        kept = torch.zeros_like(whole)
        kept[given] = reducer.kept(part, NOTHING)[0]
        streamed |= kept & chunk
    assert torch.equal(streamed, whole)


def test_pixels_are_those_of_the_patch_also_of_tubelets_and_of_normalised_clips():
    torch.manual_seed(0)
    frames = torch.rand(1, 3, 32, 32).repeat(4, 1, 1, 1)
    frames[2:, :, 16:, :16] = 1 - frames[2:, :, 16:, :16]  # one patch of the second tubelet
    plan = FramePlan((0.0, 1.0, 2.0, 3.0), ((32, 32),) * 4)
    clip = Clip(plan, (frames * 2 - 1,))
    tokenizer = TOKENIZERS.build(dict(type="TubeletEmbed", out_channels=8, embed_channels=8, tubelet=2))
    context = ReduceContext(clips=[clip], denormalise=lambda pixels: (pixels + 1) / 2)
    with torch.no_grad():
        out = DTD(mode="pixel")(tokenizer([clip]), context)
    assert out.frame[0].tolist() == [0, 0, 0, 0, 1] and out.cell[0, 4].tolist() == [1, 0]


@pytest.mark.parametrize("check", REDUCER_CONTRACT)
@pytest.mark.parametrize("settings", [dict(mode="pixel", threshold=0.34), dict(reference="last_kept", ratio=0.5)])
def test_its_other_ways_keep_the_contract_too(settings, check):
    check("DTD", **settings)


def test_pixels_are_asked_for():
    assert DTD(mode="pixel").requires == {"clips"} and not DTD().requires
    with pytest.raises(ValueError, match="clips"):
        DTD(mode="pixel")(draw([((2, 2),) * 2]), NOTHING)


@pytest.mark.parametrize("settings", [dict(mode="pixels"), dict(reference="first"), dict(ratio=1.5)])
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match="DTD"):
        DTD(**settings)
    with pytest.raises(ValueError, match="give one of them"):
        DTD(threshold=0.3, ratio=0.5)
