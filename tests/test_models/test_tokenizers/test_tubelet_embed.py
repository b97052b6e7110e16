import torch
import torch.nn.functional as F

from elva.models.tokenizers import TubeletEmbed
from elva.structures import Clip, FramePlan, Kind


def test_makes_patches_alone_two_frames_each():
    plan = FramePlan((0.0, 1.0, 2.0, 3.0), ((16, 24),) * 4)
    tokens = TubeletEmbed(16, patch_size=8, embed_channels=32)([Clip(plan, (torch.randn(4, 3, 16, 24),))])
    assert tokens.x.shape == (1, 2 * 2 * 3, 16)
    assert (tokens.kind == Kind.PATCH).all()
    assert tokens.seconds[0].unique().tolist() == [0.5, 2.5]
    assert tokens.slot[0].tolist() == [*range(6)] * 2


def test_is_a_three_dimensional_convolution():
    tokenizer, pixels = TubeletEmbed(16, patch_size=8, embed_channels=32), torch.randn(4, 3, 16, 24)
    tokens = tokenizer([Clip(FramePlan((0.0, 1.0, 2.0, 3.0), ((16, 24),) * 4), (pixels,))])
    weight = tokenizer.patch.weight.view(-1, 2, 3, 8, 8).transpose(1, 2)
    grid = F.conv3d(pixels.transpose(0, 1)[None], weight, tokenizer.patch.bias, stride=(2, 8, 8))[0]
    expected = tokenizer.projector(grid.permute(1, 2, 3, 0)).flatten(0, 2)
    torch.testing.assert_close(tokens.x[0], expected, atol=1e-5, rtol=1e-4)
