import torch

from elva.models.tokenizers import ElvaPatchEmbed, LinearPatchEmbed
from elva.structures import Clip, FramePlan, Kind


def clip_of(pixels):
    plan = FramePlan(tuple(float(t) for t in range(len(pixels))), (tuple(pixels.shape[-2:]),) * len(pixels))
    return Clip(plan, (pixels,))


def test_describes_its_tokens_as_elva_does():
    clip = clip_of(torch.randn(2, 3, 16, 24))
    ours = LinearPatchEmbed(16, patch_size=8, embed_channels=32)([clip])
    elvas = ElvaPatchEmbed(16, patch_size=8, embed_channels=32)([clip])
    for field in ("pos", "seconds", "size", "frame", "slot", "grid", "kind", "valid"):
        assert torch.equal(getattr(ours, field), getattr(elvas, field)), field


def test_frame_and_line_look_at_nothing():
    tokenizer = LinearPatchEmbed(16, patch_size=8, embed_channels=32)
    one, other = (tokenizer([clip_of(torch.randn(2, 3, 16, 24))]) for _ in range(2))
    delimiter = one.kind != Kind.PATCH
    assert torch.equal(one.x[delimiter], other.x[delimiter])
    assert (one.x[~delimiter] != other.x[~delimiter]).any(-1).all()


def test_has_the_patch_map_and_two_tokens_beside_the_projector():
    tokenizer = LinearPatchEmbed(16, patch_size=8, embed_channels=32)
    counted = sum(p.numel() for name, p in tokenizer.named_parameters() if not name.startswith("projector"))
    assert counted == 3 * 64 * 32 + 2 * 32
