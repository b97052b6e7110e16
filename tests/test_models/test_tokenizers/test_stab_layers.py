import pytest
import torch
from torch import nn

from elva.models.tokenizers.stab_layers import ClipToken, LocalTimeEncoding, over_clips

LENGTHS = (3, 1, 4)


def some_patches(width=12):
    return torch.randn(sum(LENGTHS), 2, 4, width, generator=torch.Generator().manual_seed(0))


def awake(module):
    """With random values for what starts at zero."""
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.normal_(std=0.3)
    return module


@pytest.mark.parametrize("kernel", [(3, 1, 1), (3, 3, 3)])
def test_a_convolution_never_reaches_into_another_clip(kernel):
    conv = nn.Conv3d(12, 12, kernel, padding=tuple(k // 2 for k in kernel), groups=12)
    patches = some_patches()
    clips = [conv(clip.permute(3, 0, 1, 2)[None])[0].permute(1, 2, 3, 0) for clip in patches.split(LENGTHS)]
    torch.testing.assert_close(over_clips(conv, patches, LENGTHS), torch.cat(clips), atol=1e-6, rtol=1e-5)


def test_the_local_branch_does_exactly_nothing_at_the_start():
    torch.manual_seed(0)
    local, patches = LocalTimeEncoding(12), some_patches()
    expected = patches + over_clips(local.positions, patches, LENGTHS)
    assert torch.equal(local(patches, LENGTHS), expected)
    nn.init.zeros_(local.positions.weight)
    assert torch.equal(local(patches, LENGTHS), patches)
    assert not torch.equal(awake(local)(patches, LENGTHS), patches)


def test_the_local_encoding_is_that_of_the_paper_written_as_convolutions():
    torch.manual_seed(0)
    local, patches = awake(LocalTimeEncoding(12)), some_patches()
    assert local.down.out_features == 8
    for at, clip in zip((0, 3, 4), patches.split(LENGTHS), strict=True):
        video = clip.permute(3, 0, 1, 2)[None]
        normed = local.norm(clip).permute(3, 0, 1, 2)[None]
        narrow = nn.functional.conv3d(normed, local.down.weight[..., None, None, None], local.down.bias)
        wide = nn.functional.conv3d(local.time(narrow), local.up.weight[..., None, None, None], local.up.bias)
        video = video + wide
        expected = (video + local.positions(video))[0].permute(1, 2, 3, 0)
        torch.testing.assert_close(local(patches, LENGTHS)[at : at + len(clip)], expected, atol=1e-5, rtol=1e-4)


def test_the_token_of_a_clip_starts_as_nothing():
    token = ClipToken(12, 3, dropout=0.5)
    assert torch.equal(token(some_patches(), LENGTHS), torch.zeros(sum(LENGTHS), 12))


def test_every_unit_gets_the_token_of_its_own_clip():
    torch.manual_seed(0)
    token, patches = awake(ClipToken(12, 3, dropout=0.5)).eval(), some_patches()
    out = token(patches, LENGTHS)
    for at, clip in zip((0, 3, 4), patches.split(LENGTHS), strict=True):
        gathered = token.attention(clip.reshape(1, -1, 12))
        expected = gathered + token.mlp(token.norm(gathered))
        torch.testing.assert_close(out[at : at + len(clip)], expected.expand(len(clip), -1), atol=1e-6, rtol=1e-5)
    assert not torch.equal(token.train()(patches, LENGTHS), out), "dropout is for training"
