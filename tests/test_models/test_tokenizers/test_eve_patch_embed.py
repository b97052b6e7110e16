import pytest
import torch
import torch.nn.functional as F

from elva.models.tokenizers import EvePatchEmbed
from elva.structures import Clip, FramePlan, Kind

FRAMES, GRID, SIDE = 2, (2, 3), 8


def small(**options):
    torch.manual_seed(0)
    return EvePatchEmbed(12, patch_size=SIDE, embed_channels=16, num_heads=4, **options)


def some_pixels():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(FRAMES, 3, GRID[0] * SIDE, GRID[1] * SIDE, generator=generator)


def clip_of(pixels):
    plan = FramePlan(tuple(float(t) for t in range(len(pixels))), (tuple(pixels.shape[-2:]),) * len(pixels))
    return Clip(plan, (pixels,))


def test_has_the_published_number_of_parameters():
    with torch.device("meta"):
        tokenizer = EvePatchEmbed(3584)
    d = 1024
    counted = sum(p.numel() for name, p in tokenizer.named_parameters() if not name.startswith("projector"))
    assert counted == 3 * 14 * 14 * d + 2 * (4 * d * d + 5 * d) + 2 * d == 9_003_008
    assert len(tokenizer.projector) == 3


def test_a_token_is_28_pixels_a_side():
    with torch.device("meta"):
        tokenizer = EvePatchEmbed(3584)
    assert tokenizer.patch_size == 28
    assert tokenizer.count(FramePlan((0.0,), ((672, 448),))) == 24 * 16 + 24 + 1
    with pytest.raises(ValueError, match="686x448.*patches of 28"):  # an odd number of patches of 14
        tokenizer.count(FramePlan((0.0,), ((686, 448),)))


def test_is_the_published_embedding_step_by_step():
    tokenizer, pixels = small(), some_pixels()
    tokens = tokenizer([clip_of(pixels)], signals={"attn", "keys"})
    weight = tokenizer.patch.weight.view(-1, 3, SIDE // 2, SIDE // 2)
    h, w = GRID
    expected, attention = [], []
    for frame in F.conv2d(pixels, weight, stride=SIDE // 2).permute(0, 2, 3, 1):
        grid = tokenizer.cell(frame[None])[0]
        class_token = tokenizer.frame(grid.reshape(1, h * w, -1))[0]
        rows = [torch.cat((row, tokenizer.line[None])) for row in grid]
        expected.append(torch.cat((class_token[None], *rows)))
        weights = tokenizer.frame.weights(grid.reshape(1, h * w, -1)).view(h, w)
        attention.append(torch.cat((torch.zeros(1), F.pad(weights, (0, 1)).flatten())))
    torch.testing.assert_close(tokens.keys[0], torch.cat(expected), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(tokens.x[0], tokenizer.projector(torch.cat(expected)), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(tokens.attn[0], torch.cat(attention), atol=1e-6, rtol=1e-4)
    assert tokens.kind[0].tolist() == [Kind.FRAME, *([Kind.PATCH] * w + [Kind.LINE]) * h] * FRAMES


def test_products_are_scaled_by_the_whole_width():
    tokenizer = small()
    assert tokenizer.cell.scale == tokenizer.frame.scale == 16**-0.5


def test_options_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="patch_size=15"):
        EvePatchEmbed(12, patch_size=15)
    with pytest.raises(ValueError, match="embed_channels=30.*num_heads=4"):
        EvePatchEmbed(12, embed_channels=30, num_heads=4)
