import pytest
import torch

from elva.models.tokenizers import ElvaPatchEmbed, FuyuPatchEmbed, LinearPatchEmbed, TubeletEmbed
from elva.structures import Clip, FramePlan, Kind

SIZES = ((16, 24), (8, 8), (16, 24))


def clip_of(sizes, seed):
    generator = torch.Generator().manual_seed(seed)
    plan = FramePlan(tuple(float(t) for t in range(len(sizes))), tuple(sizes))
    return Clip(plan, tuple(torch.randn(len(f), 3, *size, generator=generator) for size, f in plan.groups().items()))


@pytest.mark.parametrize("kind", [ElvaPatchEmbed, LinearPatchEmbed, TubeletEmbed])
def test_keys_are_what_the_projector_reads_in_ragged_hybrid_batches(kind):
    tokenizer = kind(16, patch_size=8, embed_channels=32, projector="mlp2x_gelu")
    tokens = tokenizer([clip_of(SIZES, 0), clip_of(SIZES[:2], 1)], signals={"keys"})
    assert tokens.keys.shape == (*tokens.valid.shape, 32)
    projected = tokenizer.projector(tokens.keys)
    torch.testing.assert_close(projected[tokens.valid], tokens.x[tokens.valid], atol=1e-6, rtol=1e-5)


def test_attention_stands_at_the_patches_of_its_own_frame():
    tokenizer = ElvaPatchEmbed(16, patch_size=8, embed_channels=32, num_heads=4)
    clips = [clip_of(SIZES, 0), clip_of(SIZES[:2], 1)]
    tokens = tokenizer(clips, signals={"attn", "keys"})
    assert tokens.attn[1, -1] == 0, "padding"
    for video, frame in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1)):
        own = (tokens.frame[video] == frame) & (tokens.kind[video] == Kind.PATCH)
        expected = tokenizer.frame.weights(tokens.keys[video][own][None])[0]
        torch.testing.assert_close(tokens.attn[video][own], expected, atol=1e-6, rtol=1e-5)


def test_what_is_not_offered_is_refused():
    tokenizer = FuyuPatchEmbed(16, patch_size=8)
    with pytest.raises(ValueError, match=r"FuyuPatchEmbed offers \['keys'\], not all of \['attn', 'keys'\]"):
        tokenizer([clip_of(SIZES, 0)], signals={"attn", "keys"})


def test_signals_cost_nothing_unasked(monkeypatch):
    tokenizer = ElvaPatchEmbed(16, patch_size=8, embed_channels=32, num_heads=4)
    monkeypatch.setattr(tokenizer, "frame_attention", lambda patches: pytest.fail("computed unasked"))
    assert tokenizer([clip_of(SIZES, 0)], signals={"keys"}).attn is None
