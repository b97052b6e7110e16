"""What every registered video tokenizer keeps, whatever it computes (design rule: a component inherits these tests)."""

import inspect

import pytest
import torch

from elva.registry import TOKENIZERS
from elva.structures import Clip, FramePlan, Kind, VideoTokens

CHANNELS, PATCH = 16, 8
BIG, SMALL, WIDE = (16, 24), (8, 8), (8, 32)
PLANS = {
    "image": (BIG,),
    "video": (BIG,) * 4,
    "odd length": (BIG,) * 5,
    "hybrid": (BIG, SMALL, SMALL, SMALL, BIG, SMALL),
    "wide": (WIDE,) * 2,
}
LONG_FIELDS = ("frame", "slot", "kind")

SIDE = 4 * PATCH
TOWER = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2)
TOWER |= dict(image_size=SIDE, patch_size=PATCH)
SIGLIP = dict(model_type="siglip_vision_model", **TOWER)
ENCODERS = {"FrameEncoder": (2, 2), "MeanPooledFrames": (4, 4), "VideoEncoder": (4, 4)}
"""The tokenizers that take frames of one size, and the grid that they make of each."""

pytestmark = pytest.mark.parametrize("name", TOKENIZERS.names())


def encoder_options(name, tubelet=1):
    """Of random encoders, trained; newlines end frames, pairs of tubelets are a chunk."""
    if name == "VideoEncoder":
        return dict(config=dict(model_type="videomae", **TOWER, tubelet_size=tubelet, num_frames=2 * tubelet))
    return dict(config=SIGLIP) | (dict(newline="frame") if name == "FrameEncoder" else {})


def build(name, **options):
    """In evaluation, without dropout; what starts at zero is drawn at random, so that its branch takes part."""
    torch.manual_seed(0)
    tokenizer = build_fresh(name, **options).eval()
    with torch.no_grad():
        for parameter in tokenizer.parameters():
            if not parameter.is_meta and not parameter.any():
                parameter.normal_(std=0.1)
    return tokenizer


def build_fresh(name, **options):
    if name in ENCODERS:
        options = dict(out_channels=CHANNELS, layer=-1, frozen=False, **encoder_options(name, **options))
        return TOKENIZERS.build({"type": name, **options})
    if "embed_channels" in inspect.signature(TOKENIZERS.get(name)).parameters:
        options["embed_channels"] = 32
    return TOKENIZERS.build({"type": name, "out_channels": CHANNELS, "patch_size": PATCH, **options})


def clip_of(sizes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    plan = FramePlan(tuple(0.5 * t for t in range(len(sizes))), tuple(sizes))
    return Clip(plan, tuple(torch.randn(len(f), 3, *size, generator=generator) for size, f in plan.groups().items()))


def sizes_of(name, plan):
    return ((SIDE, SIDE),) * len(PLANS[plan]) if name in ENCODERS else PLANS[plan]


def some_clips(name):
    return [clip_of(sizes_of(name, plan), seed) for seed, plan in enumerate(PLANS)]


def rows_of(tokens: VideoTokens, video: int) -> dict[str, torch.Tensor]:
    valid = tokens.valid[video]
    names = ("x", "pos", "seconds", "size", "frame", "slot", "grid", "kind")
    return {name: getattr(tokens, name)[video][valid] for name in names}


@pytest.mark.parametrize("tubelet", [1, 2, 3])
@pytest.mark.parametrize("plan", PLANS)
def test_count_is_what_forward_makes(name, plan, tubelet):
    tokenizer, clip = build(name, tubelet=tubelet), clip_of(sizes_of(name, plan))
    assert tokenizer.count(clip.plan) == int(tokenizer([clip]).valid.sum())


def test_fields_have_the_promised_shapes_and_types(name):
    tokens = build(name)(some_clips(name))
    batch, length = len(PLANS), tokens.x.shape[1]
    assert tokens.x.shape == (batch, length, CHANNELS)
    assert tokens.pos.shape == (batch, length, 3)
    assert tokens.pos.dtype == tokens.seconds.dtype == tokens.size.dtype == torch.float32
    assert tokens.grid.shape == (batch, length, 2)
    assert all(getattr(tokens, field).dtype == torch.long for field in (*LONG_FIELDS, "grid"))
    assert all(getattr(tokens, field).shape == (batch, length) for field in (*LONG_FIELDS, "seconds", "size", "valid"))
    assert tokens.valid.dtype == torch.bool
    assert torch.equal(tokens.src.dst >= 0, tokens.valid)


def test_padding_stands_at_the_end_and_says_so(name):
    tokens = build(name)(some_clips(name))
    lengths = tokens.valid.sum(1)
    assert torch.equal(tokens.valid, torch.arange(tokens.valid.shape[1]) < lengths[:, None])
    pad = ~tokens.valid
    assert pad.any()
    assert (tokens.kind[pad] == Kind.PAD).all()
    assert (tokens.x[pad] == 0).all()
    assert (tokens.size[pad] == 0).all()
    assert (tokens.slot[pad] == -1).all()
    assert (tokens.frame[pad] == -1).all()


@pytest.mark.parametrize("tubelet", [1, 2, 3])
def test_a_batch_equals_each_clip_alone(name, tubelet):
    tokenizer, clips = build(name, tubelet=tubelet), some_clips(name)
    batch = tokenizer(clips)
    for video, clip in enumerate(clips):
        together, alone = rows_of(batch, video), rows_of(tokenizer([clip]), 0)
        for field, value in alone.items():
            torch.testing.assert_close(together[field], value, atol=1e-5, rtol=0, msg=f"{field} of clip {video}")


def test_permuting_clips_permutes_rows(name):
    tokenizer, clips = build(name), some_clips(name)
    forward, backward = tokenizer(clips), tokenizer(clips[::-1])
    for field in ("x", "pos", "seconds", *LONG_FIELDS, "valid"):
        torch.testing.assert_close(getattr(forward, field).flip(0), getattr(backward, field), atol=1e-5, rtol=0)


@pytest.mark.parametrize("tubelet", [1, 2, 3])
@pytest.mark.parametrize("plan", ["video", "hybrid", "odd length"])
def test_a_pixel_changes_only_the_tokens_of_its_unit(name, plan, tubelet):
    tokenizer, clip = build(name, tubelet=tubelet), clip_of(sizes_of(name, plan))
    last_of_first_group = clip.pixels[0].clone()
    last_of_first_group[-1, 0, 3, 3] += 1
    other = Clip(clip.plan, (last_of_first_group, *clip.pixels[1:]))
    before, after = tokenizer([clip]), tokenizer([other])
    changed = (before.x != after.x).any(-1)[0]
    assert changed.any()
    if tokenizer.mixes_time:
        return
    frames = before.frame[0][changed].unique()
    assert len(frames) == 1
    t = clip.plan.groups()[clip.plan.sizes[0]][-1]  # the frame that changed
    starts = before.pos[0][changed][:, 0].unique() - (tokenizer.tubelet - 1) / 2
    assert starts.item() <= t < starts.item() + tokenizer.tubelet


@pytest.mark.parametrize("plan", PLANS)
def test_time_never_runs_backwards(name, plan):
    rows = rows_of(build(name)([clip_of(sizes_of(name, plan))]), 0)
    of_one = rows["frame"] >= 0  # others span frames
    for values in (rows["frame"][of_one], rows["pos"][of_one][:, 0], rows["seconds"][of_one]):
        assert (values.diff() >= 0).all()
    assert rows["frame"][of_one].unique().tolist() == list(range(int(rows["frame"].max()) + 1))


@pytest.mark.parametrize("plan", PLANS)
def test_a_slot_is_one_place_of_one_grid(name, plan):
    rows = rows_of(build(name)([clip_of(sizes_of(name, plan))]), 0)
    chosen = rows["slot"] >= 0
    described = torch.cat((rows["grid"], rows["kind"][:, None], rows["pos"][:, 1:]), 1)[chosen]
    slots = rows["slot"][chosen]
    assert len(slots) > 0
    both = torch.cat((described, slots[:, None]), 1)
    assert len(both.unique(dim=0)) == len(slots.unique()) == len(described.unique(dim=0))


@pytest.mark.parametrize("plan", PLANS)
def test_a_slot_comes_once_in_a_unit(name, plan):
    rows = rows_of(build(name)([clip_of(sizes_of(name, plan))]), 0)
    pairs = torch.stack((rows["frame"], rows["slot"]), 1)[rows["slot"] >= 0]
    assert len(pairs.unique(dim=0)) == len(pairs)


@pytest.mark.parametrize("plan", PLANS)
def test_patches_cover_every_unit(name, plan):
    tokenizer, sizes = build(name), sizes_of(name, plan)
    rows = rows_of(tokenizer([clip_of(sizes)]), 0)
    patch = rows["kind"] == Kind.PATCH
    units = int(rows["frame"].max()) + 1
    for frame in rows["frame"][patch].unique():
        own = patch & (rows["frame"] == frame)
        h, w = rows["grid"][own][0].tolist()
        assert rows["size"][own].sum() == h * w * (1 if frame >= 0 else units)
    assert len(rows["frame"][patch].unique()) == (units if tokenizer.makes_grid else 1)
    grids = {tuple(grid) for grid in rows["grid"].tolist()}
    cut = {(height // PATCH, width // PATCH) for height, width in sizes}
    assert grids == ({ENCODERS[name]} if name in ENCODERS else cut)


def test_kinds_are_known_and_frame_tokens_never_merge(name):
    rows = rows_of(build(name)([clip_of(sizes_of(name, "hybrid"))]), 0)
    assert set(rows["kind"].tolist()) <= {Kind.FRAME, Kind.PATCH, Kind.LINE}
    assert (rows["slot"][rows["kind"] == Kind.FRAME] == -1).all()


def test_positions_lie_in_the_finest_grid(name):
    rows = rows_of(build(name)([clip_of(sizes_of(name, "hybrid"))]), 0)
    patch = rows["kind"] == Kind.PATCH
    if name in ENCODERS:  # one grid alone
        lines, columns = ENCODERS[name]
        assert rows["pos"][patch][:, 1].unique().tolist() == list(range(lines))
        assert rows["pos"][patch][:, 2].unique().tolist() == list(range(columns))
        return
    coarse = patch & (rows["grid"] == torch.tensor([1, 1])).all(-1)
    fine = patch & ~coarse
    assert rows["pos"][fine][:, 1].unique().tolist() == [0, 1]
    assert rows["pos"][fine][:, 2].unique().tolist() == [0, 1, 2]
    assert rows["pos"][coarse][:, 1:].unique(dim=0).tolist() == [[0.5, 1.0]]  # the centre of a 2 x 3 grid


def test_a_side_that_does_not_fit_is_named(name):
    clip = clip_of([(16, 20)])
    taken = f"encoder of {SIDE}x{SIDE}" if name in ENCODERS else f"patches of {PATCH}"
    with pytest.raises(ValueError, match=f"16x20.*{taken}.*resolution"):
        build(name)([clip])
    with pytest.raises(ValueError, match="16x20"):
        build(name).count(clip.plan)


def test_pixels_that_were_not_normalised_are_refused(name):
    clip = clip_of([BIG]).map(lambda pixels: pixels.to(torch.uint8))
    with pytest.raises(ValueError, match=r"torch\.uint8.*data_preprocessor"):
        build(name)([clip])


def test_an_empty_batch_is_refused(name):
    with pytest.raises(ValueError, match="at least one clip"):
        build(name)([])


def test_a_plan_without_sizes_is_refused(name):
    with pytest.raises(ValueError, match="no sizes"):
        build(name).count(FramePlan((0.0, 1.0)))


def test_works_on_meta(name):
    with torch.device("meta"):
        tokenizer = build(name)
        clips = [clip.map(lambda pixels: pixels.to("meta")) for clip in some_clips(name)]
        tokens = tokenizer(clips)
    assert tokens.x.is_meta
    assert tokens.x.shape[1] == max(tokenizer.count(clip.plan) for clip in clips)
    assert not build(name)(some_clips(name)).valid.is_meta, "the meta device leaked into the cache"


@pytest.mark.parametrize("tubelet", [1, 2])
def test_signals_describe_the_same_tokens(name, tubelet):
    tokenizer, clips = build(name, tubelet=tubelet), some_clips(name)
    plain, asked = tokenizer(clips), tokenizer(clips, signals=tokenizer.offers)
    assert torch.equal(asked.x, plain.x), "tokens depend on the signals asked for"
    assert plain.attn is None and plain.keys is None, "signals were computed unasked"
    assert (asked.attn is not None, asked.keys is not None) == tuple(s in tokenizer.offers for s in ("attn", "keys"))
    for signal in (asked.attn, asked.keys):
        if signal is not None:
            assert signal.shape[:2] == plain.valid.shape
            assert signal.isfinite().all()
            assert (signal[~plain.valid] == 0).all()


def test_attention_is_shared_out_among_the_patches_of_each_frame(name):
    tokenizer = build(name)
    if "attn" not in tokenizer.offers:
        with pytest.raises(ValueError, match=f"{name}.*attn"):
            tokenizer(some_clips(name), signals={"attn"})
        return
    tokens = tokenizer(some_clips(name), signals={"attn"})
    assert tokens.attn.dtype == torch.float32
    assert (tokens.attn[tokens.kind != Kind.PATCH] == 0).all()
    for video in range(len(PLANS)):
        for frame in tokens.frame[video][tokens.valid[video]].unique():
            own = tokens.attn[video][tokens.frame[video] == frame]
            assert (own >= 0).all()
            assert own.sum().item() == pytest.approx(1, abs=1e-5)


def test_works_under_autocast(name):
    tokenizer, clips = build(name), some_clips(name)
    with torch.autocast("cpu", torch.bfloat16):
        low = tokenizer(clips).x
    high = tokenizer(clips).x
    assert torch.isfinite(low).all()
    assert (low.float() - high).abs().max() < 0.05 * high.abs().max()


def test_trains_after_inference_mode(name):
    tokenizer, clips = build(name).train(), some_clips(name)
    with torch.inference_mode():
        tokenizer(clips)  # fills the caches
    tokenizer(clips).x.square().sum().backward()
    missing = [key for key, p in tokenizer.named_parameters() if p.grad is None or not p.grad.any()]
    assert not missing


def test_output_has_the_scale_asked_for(name):
    tokenizer = build(name)
    noise = [clip_of([(SIDE, SIDE)] * 4, seed) for seed in range(8)]
    for rms in (0.02, 0.7):
        tokenizer.match_scale(rms)
        assert tokenizer(noise).x.square().mean().sqrt().item() == pytest.approx(rms, rel=0.1)
