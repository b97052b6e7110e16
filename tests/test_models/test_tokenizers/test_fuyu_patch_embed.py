import torch
from transformers.models.fuyu.image_processing_pil_fuyu import FuyuImageProcessorPil

from elva.models.tokenizers import FuyuPatchEmbed
from elva.structures import Clip, FramePlan, Kind

GRID, PATCH = (2, 3), 6


def small(**options):
    torch.manual_seed(0)
    return FuyuPatchEmbed(16, patch_size=PATCH, **options)


def some_clip(frames=2):
    plan = FramePlan(tuple(float(t) for t in range(frames)), ((GRID[0] * PATCH, GRID[1] * PATCH),) * frames)
    return Clip(plan, (torch.randn(frames, 3, *plan.sizes[0], generator=torch.Generator().manual_seed(0)),))


def test_patches_are_those_that_transformers_cuts_and_maps():
    tokenizer, clip = small(), some_clip()
    processor = FuyuImageProcessorPil(patch_size={"height": PATCH, "width": PATCH})
    cut = torch.from_numpy(processor.patchify_image(clip.pixels[0].numpy())).flatten(0, 1)
    theirs = tokenizer.patch.weight.view(-1, 3, PATCH, PATCH).permute(0, 2, 3, 1).flatten(1)  # row, column, colour
    tokens = tokenizer([clip], signals={"keys"})
    patches = tokens.x[tokens.kind == Kind.PATCH]
    torch.testing.assert_close(patches, cut @ theirs.T + tokenizer.patch.bias, atol=1e-5, rtol=1e-4)
    assert (tokens.x[tokens.kind == Kind.LINE] == tokenizer.line).all()
    assert torch.equal(tokens.keys, tokens.x)


def test_rows_end_with_a_newline_and_nothing_stands_before_a_frame():
    tokens = small()([some_clip()])
    unit = [Kind.PATCH, Kind.PATCH, Kind.PATCH, Kind.LINE] * GRID[0]
    assert tokens.kind[0].tolist() == unit * 2
    assert tokens.slot[0].tolist() == [0, 1, 2, 6, 3, 4, 5, 7] * 2
    assert tokens.pos[0, :8, 1:].tolist() == [[r, c] for r in range(2) for c in range(4)]
    assert tokens.frame[0].tolist() == [0] * 8 + [1] * 8


def test_lines_may_be_kept_from_merging():
    tokens = small(merge_lines=False)([some_clip()])
    assert (tokens.slot[tokens.kind == Kind.LINE] == -1).all()


def test_patches_and_newlines_both_start_at_the_scale_asked_for():
    tokenizer, clip = small(init_rms=0.02), some_clip(8)
    for rms in (0.02, 0.5):
        tokenizer.match_scale(rms)
        tokens = tokenizer([clip])
        for kind in (Kind.PATCH, Kind.LINE):
            measured = tokens.x[tokens.kind == kind].square().mean().sqrt()
            torch.testing.assert_close(measured, torch.tensor(rms), rtol=0.1, atol=0)


def test_has_the_published_number_of_parameters():
    with torch.device("meta"):
        tokenizer = FuyuPatchEmbed(4096)
    patch = 30 * 30 * 3 * 4096 + 4096  # vision_embed_tokens of Fuyu-8B
    assert sum(p.numel() for p in tokenizer.parameters()) == patch + 4096
