import pytest
import torch
import torch.nn.functional as F

from elva.models.tokenizers import ElvaPatchEmbed
from elva.structures import Clip, FramePlan, Kind

FRAMES, GRID, PATCH = 3, (2, 4), 8


def small(**options):
    torch.manual_seed(0)
    return ElvaPatchEmbed(16, patch_size=PATCH, embed_channels=32, num_heads=4, **options)


def clip_of(pixels):
    plan = FramePlan(tuple(float(t) for t in range(len(pixels))), (tuple(pixels.shape[-2:]),) * len(pixels))
    return Clip(plan, (pixels,))


def some_pixels():
    return torch.randn(FRAMES, 3, GRID[0] * PATCH, GRID[1] * PATCH, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("patch_size", [14, 16])
def test_has_nine_million_parameters_at_width_1024(patch_size):
    with torch.device("meta"):
        tokenizer = ElvaPatchEmbed(3584, patch_size=patch_size)
    d = 1024
    formula = 3 * patch_size**2 * d + 2 * (4 * d * d + 5 * d) + 2 * d
    counted = sum(p.numel() for name, p in tokenizer.named_parameters() if not name.startswith("projector"))
    assert counted == formula
    assert 9.0e6 < counted < 9.2e6


def test_each_unit_is_frame_then_rows_each_ended_by_line():
    tokens = small()([clip_of(some_pixels())])
    h, w = GRID
    unit = [Kind.FRAME, *([Kind.PATCH] * w + [Kind.LINE]) * h]
    assert tokens.kind[0].tolist() == unit * FRAMES
    assert tokens.frame[0].tolist() == [t for t in range(FRAMES) for _ in unit]
    slots = [-1, 0, 1, 2, 3, 8, 4, 5, 6, 7, 9]
    assert tokens.slot[0].tolist() == slots * FRAMES
    places = [[0.5, 1.5], *[[0, c] for c in range(5)], *[[1, c] for c in range(5)]]
    assert tokens.pos[0, : len(unit), 1:].tolist() == places
    assert (tokens.size == 1).all()


def test_lines_may_be_kept_from_merging():
    tokens = small(merge_lines=False)([clip_of(some_pixels())])
    assert (tokens.slot[tokens.kind == Kind.LINE] == -1).all()
    assert (tokens.slot[tokens.kind == Kind.PATCH] >= 0).all()


def test_patch_tokens_are_a_convolution():
    tokenizer, pixels = small(), some_pixels()
    weight = tokenizer.patch.weight.view(-1, 3, PATCH, PATCH)
    grid = F.conv2d(pixels, weight, stride=PATCH).permute(0, 2, 3, 1)
    tokens = tokenizer([clip_of(pixels)])
    patches = tokens.x[tokens.kind == Kind.PATCH]
    torch.testing.assert_close(patches, tokenizer.projector(grid).flatten(0, 2), atol=1e-5, rtol=1e-4)


def test_tubelets_are_a_three_dimensional_convolution():
    tokenizer, pixels = small(tubelet=2), some_pixels()
    padded = torch.cat((pixels, pixels[-1:]))  # the incomplete last tubelet repeats its last frame
    weight = tokenizer.patch.weight.view(-1, 2, 3, PATCH, PATCH).transpose(1, 2)
    grid = F.conv3d(padded.transpose(0, 1)[None], weight, stride=(2, PATCH, PATCH))[0].permute(1, 2, 3, 0)
    tokens = tokenizer([clip_of(pixels)])
    patches = tokens.x[tokens.kind == Kind.PATCH]
    torch.testing.assert_close(patches, tokenizer.projector(grid).flatten(0, 2), atol=1e-5, rtol=1e-4)
    assert tokens.pos[0, :, 0].unique().tolist() == [0.5, 2.5]
    assert tokens.seconds[0].unique().tolist() == [0.5, 2.0]


def test_frame_gathers_its_own_frame_and_line_its_own_row():
    tokenizer, pixels = small(), some_pixels()
    changed = pixels.clone()
    changed[1, :, PATCH + 1, 2 * PATCH + 1] += 1  # frame 1, row 1, column 2
    before, after = tokenizer([clip_of(pixels)]), tokenizer([clip_of(changed)])
    moved = (before.x != after.x).any(-1)[0].nonzero().squeeze(1)
    told = [(before.frame[0, n].item(), before.kind[0, n].item(), *before.pos[0, n, 1:].tolist()) for n in moved]
    assert told == [(1, Kind.FRAME, 0.5, 1.5), (1, Kind.PATCH, 1, 2), (1, Kind.LINE, 1, 4)]


@pytest.mark.parametrize("kind", [Kind.FRAME, Kind.LINE])
def test_gradient_reaches_the_learned_tokens_and_the_patches(kind):
    tokenizer = small()
    tokens = tokenizer([clip_of(some_pixels())])
    tokens.x[tokens.kind == kind].square().sum().backward()
    attention = tokenizer.frame if kind == Kind.FRAME else tokenizer.line
    other = tokenizer.line if kind == Kind.FRAME else tokenizer.frame
    assert all(p.grad is not None and p.grad.any() for p in attention.parameters())
    assert tokenizer.patch.weight.grad.any()
    assert all(p.grad is None or not p.grad.any() for p in other.parameters())


def test_place_signal_tells_equal_patches_apart():
    same = torch.ones(1, 3, GRID[0] * PATCH, GRID[1] * PATCH)
    for pos_embed, distinct in ((False, 1), (True, GRID[0] * GRID[1])):
        tokens = small(pos_embed=pos_embed)([clip_of(same)])
        patches = tokens.x[tokens.kind == Kind.PATCH]
        apart = torch.cdist(patches, patches) > 1e-5
        assert apart.sum() == len(patches) * (distinct - 1)


def test_a_batch_of_equal_plans_embeds_once_and_stays_in_place(monkeypatch):
    tokenizer, calls = small(), []
    embed = tokenizer.embed
    monkeypatch.setattr(tokenizer, "embed", lambda block: (calls.append(block.pixels.shape), embed(block))[1])
    tokens = tokenizer([clip_of(some_pixels()) for _ in range(4)])
    assert calls == [(4 * FRAMES, 1, 3, GRID[0] * PATCH, GRID[1] * PATCH)]
    assert tokens.x.shape == (4, FRAMES * (2 * 4 + 2 + 1), 16)


def test_projector_may_have_two_layers():
    tokenizer = small(projector="mlp2x_gelu", init_rms=0.02)
    assert len(tokenizer.projector) == 3
    noise = clip_of(torch.randn(4, 3, 32, 32))
    assert tokenizer([noise]).x.square().mean().sqrt().item() == pytest.approx(0.02, rel=0.1)


def test_attention_is_that_of_frame_and_keys_are_what_the_projector_reads():
    tokenizer, pixels = small(), some_pixels()
    tokens = tokenizer([clip_of(pixels)], signals={"attn", "keys"})
    torch.testing.assert_close(tokenizer.projector(tokens.keys), tokens.x)
    patch = tokens.kind[0] == Kind.PATCH
    region_UnD = tokens.keys[0][patch].unflatten(0, (FRAMES, -1))
    expected = tokenizer.frame.weights(region_UnD)
    torch.testing.assert_close(tokens.attn[0][patch].unflatten(0, (FRAMES, -1)), expected)
    assert (expected.std(1) > 0).all()


def test_unknown_projector_and_heads_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match=r"projector='mlp'.*mlp2x_gelu"):
        small(projector="mlp")
    with pytest.raises(ValueError, match="embed_channels=30.*num_heads=4"):
        ElvaPatchEmbed(16, embed_channels=30, num_heads=4)
