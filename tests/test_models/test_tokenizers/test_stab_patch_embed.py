import pytest
import torch

from elva.models.tokenizers import EvePatchEmbed, StabPatchEmbed
from elva.models.tokenizers.layout import patchify
from elva.structures import Clip, FramePlan, Kind

SIDE, BIG, SMALL = 8, (16, 24), (8, 8)


def small(**options):
    torch.manual_seed(0)
    options = dict(patch_size=SIDE, embed_channels=16, num_heads=4) | options
    return StabPatchEmbed(12, **options).eval()


def clip_of(sizes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    plan = FramePlan(tuple(float(t) for t in range(len(sizes))), tuple(sizes))
    return Clip(plan, tuple(torch.randn(len(f), 3, *size, generator=generator) for size, f in plan.groups().items()))


def awake(tokenizer):
    """With random values for what starts at zero."""
    with torch.no_grad():
        for parameter in tokenizer.parameters():
            if not parameter.any():
                parameter.normal_(std=0.3)
    return tokenizer


def test_has_the_published_45_million_parameters_with_the_published_projector():
    with torch.device("meta"):
        tokenizer = StabPatchEmbed(4096)
    d, r = 1024, 682
    patch, line, attention = 3 * 14 * 14 * d, d, 4 * d * d + 5 * d
    local = 2 * d + (d * r + r) + 4 * r + (r * d + d) + 28 * d
    clip = attention + d + 2 * d + 8 * d * d + 5 * d
    summary = d + 2 * d + d * d + d
    projector = d * 4096 + 4096 * 4096 + 2 * 4096
    counted = sum(p.numel() for p in tokenizer.parameters())
    assert counted == patch + line + 2 * attention + d + local + clip + summary + projector
    assert round(counted / 1e6) == 45
    with torch.device("meta"):
        eve = EvePatchEmbed(4096)
    assert counted - sum(p.numel() for p in eve.parameters()) == local + clip + summary


def test_is_the_published_block_step_by_step():
    tokenizer, clip = awake(small()), clip_of((BIG,) * 3)
    tokens = tokenizer([clip], signals={"attn", "keys"})
    patches = tokenizer.patch(patchify(clip.pixels[0][:, None], SIDE // 2))
    seen = tokenizer.local(patches, (3,))
    grid = tokenizer.cell(seen + patches)
    share = tokenizer.balance.sigmoid()
    for t, own in enumerate(grid):
        region = own.reshape(1, 6, 16)
        both = (1 - share) * tokenizer.clip(seen, (3,))[t] + share * tokenizer.frame(region)[0]
        rows = [torch.cat((row, tokenizer.line[None])) for row in own]
        expected = torch.cat((tokenizer.summary(both)[None], *rows))
        here = tokens.frame[0] == t
        torch.testing.assert_close(tokens.keys[0][here], expected, atol=1e-5, rtol=1e-4)
        patch = here & (tokens.kind[0] == Kind.PATCH)
        torch.testing.assert_close(tokens.attn[0][patch], tokenizer.frame.weights(region)[0], atol=1e-6, rtol=1e-4)


def test_at_the_start_a_frame_knows_itself_alone():
    tokenizer = small()
    torch.nn.init.zeros_(tokenizer.local.positions.weight)
    clip = clip_of((BIG,) * 4)
    changed = Clip(clip.plan, (torch.cat((clip.pixels[0][:3], clip.pixels[0][3:] + 1)),))
    before, after = tokenizer([clip]), tokenizer([changed])
    assert before.frame[0][(before.x != after.x).any(-1)[0]].unique().tolist() == [3]


def test_learned_frames_see_their_clip_and_no_other():
    tokenizer = awake(small())
    clips = [clip_of((BIG,) * 4, 0), clip_of((BIG,) * 2, 1)]
    last = clips[0].pixels[0].clone()
    last[-1] += 1
    before = tokenizer(clips)
    after = tokenizer([Clip(clips[0].plan, (last,)), clips[1]])
    moved = (before.x - after.x).abs().amax(-1) > 1e-6
    assert not moved[1].any()
    kinds = {t: set(before.kind[0][moved[0] & (before.frame[0] == t)].tolist()) for t in range(4)}
    assert kinds[3] == kinds[2] == kinds[1] == {Kind.FRAME, Kind.PATCH}, "two convolutions over three units each"
    assert kinds[0] == {Kind.FRAME}, "GSTRA reaches through the whole clip"


def test_frames_of_one_size_are_neighbours_at_hybrid_resolution():
    tokenizer = awake(small())
    hybrid, plain = clip_of((BIG, SMALL, BIG, SMALL)), clip_of((BIG, BIG))
    plain = Clip(plain.plan, hybrid.pixels[:1])
    tokens, alone = tokenizer([hybrid]), tokenizer([plain])
    full = (tokens.grid[0] == torch.tensor([2, 3])).all(-1)
    torch.testing.assert_close(tokens.x[0][full], alone.x[0], atol=1e-6, rtol=1e-5)


def test_dropout_is_for_training_alone_and_the_scale_is_measured_without():
    tokenizer, clip = small(dropout=0.5), clip_of((BIG,) * 2)
    assert torch.equal(tokenizer([clip]).x, tokenizer([clip]).x)
    tokenizer.train()
    tokenizer.match_scale(0.02)
    assert tokenizer.training
    one, other = tokenizer([clip]), tokenizer([clip])
    frame = one.kind == Kind.FRAME
    assert not torch.equal(one.x[frame], other.x[frame])
    assert torch.equal(one.x[~frame], other.x[~frame])


def test_options_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="patch_size=15"):
        small(patch_size=15)
    with pytest.raises(ValueError, match="embed_channels=30.*num_heads=4"):
        small(embed_channels=30)
