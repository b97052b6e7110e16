import pytest
import torch
from safetensors.torch import load_file, save_file

from elva.models.llms import HFDecoder, assemble
from elva.models.tokenizers import FrameEncoder
from elva.models.tokenizers.renormalise import Renormalise
from elva.models.vision_load import normalisation
from elva.structures import Clip, Kind
from tests.test_models.test_tokenizers.encoders import (
    CLIP,
    DINO,
    SIDE,
    SIGLIP,
    TEXT,
    VIDEO_ID,
    clip_of,
    save_llava,
    save_tower,
)

CHANNELS = 24


@pytest.fixture(scope="module")
def llava(tmp_path_factory):
    """A checkpoint in transformers' layout, and the model that it came from."""
    path = tmp_path_factory.mktemp("llava")
    return str(path), save_llava(path)


def published(path):
    return FrameEncoder(CHANNELS, path, layer=-1, projector_path=path)


def test_features_are_those_of_llava_onevision(llava):
    path, model = llava
    clip = clip_of(3)
    with torch.no_grad():
        expected = model.model.get_video_features(clip.pixels[0][None]).pooler_output
        tokens = published(path)([clip])
    assert tokens.x.shape == (1, 3 * 4 * 4 + 1, CHANNELS)
    torch.testing.assert_close(tokens.x, expected, atol=1e-5, rtol=0)
    assert expected.std(1).min() > 0.01, "the comparison would say nothing"


def test_logits_of_a_prompt_with_a_video_are_those_of_llava_onevision(llava):
    path, model = llava
    tokenizer, llm, clip = published(path), HFDecoder(path).eval(), clip_of(3)
    ids = torch.tensor([[1, 2, 3, VIDEO_ID, 5, 6, 7]])
    long = torch.cat((ids[:, :3], torch.full((1, tokenizer.count(clip.plan)), VIDEO_ID), ids[:, 4:]), 1)
    with torch.no_grad():
        expected = model(input_ids=long, pixel_values_videos=clip.pixels[0][None]).logits
        state = assemble(llm.embed, ids, torch.ones_like(ids, dtype=torch.bool), tokenizer([clip]), VIDEO_ID).state
        got = llm.logits(llm(state).h)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
    assert expected.std() > 0.05


def test_names_of_older_and_of_sharded_files_are_understood(llava, tmp_path):
    path, model = llava
    expected = published(path)([clip_of(2)]).x
    save_llava(tmp_path / "sharded", max_shard_size="20KB")
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 1
    torch.testing.assert_close(published(str(tmp_path / "sharded"))([clip_of(2)]).x, expected)

    older = tmp_path / "older"
    model.save_pretrained(older)
    weights = load_file(older / "model.safetensors")
    renamed = {k.replace("vision_tower.", "vision_tower.vision_model."): v for k, v in weights.items()}
    assert renamed.keys() != weights.keys()
    save_file(renamed, older / "model.safetensors", metadata={"format": "pt"})
    torch.testing.assert_close(published(str(older))([clip_of(2)]).x, expected)


@pytest.mark.parametrize(("pool", "rows"), [("bilinear", 4), ("average", 3), (None, 7)])
@pytest.mark.parametrize(("newline", "more"), [("row", "rows"), ("frame", 1), ("video", 0), (None, 0)])
def test_counts_and_places_of_newlines(pool, rows, newline, more):
    tokenizer = FrameEncoder(CHANNELS, config=SIGLIP, pool=pool, newline=newline)
    clips = [clip_of(3), clip_of(1, seed=1), clip_of(2, seed=2)]
    tokens = tokenizer(clips)
    a_frame = rows * rows + (rows if more == "rows" else more)
    for video, clip in enumerate(clips):
        valid = tokens.valid[video]
        assert tokenizer.count(clip.plan) == len(clip.plan) * a_frame + (newline == "video") == int(valid.sum())
        line = (tokens.kind[video] == Kind.LINE)[valid]
        expected = torch.zeros(a_frame, dtype=torch.bool)
        if newline == "row":
            expected[rows :: rows + 1] = True
        if newline == "frame":
            expected[-1] = True
        expected = torch.cat((expected.repeat(len(clip.plan)), torch.ones(int(newline == "video"), dtype=torch.bool)))
        assert torch.equal(line, expected)
        if newline:
            assert (tokens.x[video][valid][line] == tokenizer.newline).all()
        assert (tokens.x[video][~valid] == 0).all()


def test_a_newline_of_a_video_is_of_no_frame_and_does_not_merge():
    tokens = FrameEncoder(CHANNELS, config=SIGLIP)([clip_of(2)])
    assert (tokens.frame[0, -1], tokens.slot[0, -1], tokens.kind[0, -1]) == (-1, -1, Kind.LINE)
    assert not tokens.reducible[0, -1]
    assert tokens.seconds[0, -1] == tokens.seconds[0, -2]


def test_so400m_makes_196_tokens_a_frame_and_llava_video_210():
    shape = dict(model_type="siglip_vision_model", hidden_size=1152, num_attention_heads=16, image_size=384)
    with torch.device("meta"):
        one_vision, video = (
            FrameEncoder(CHANNELS, config=dict(shape, patch_size=14), newline=newline) for newline in ("video", "row")
        )
    assert one_vision.count(clip_of(32, side=384).plan) == 32 * 196 + 1
    assert video.count(clip_of(2, side=384).plan) == 2 * 210


def test_the_layer_is_a_hidden_state_without_the_final_norm(tmp_path):
    model = save_tower(tmp_path, SIGLIP)
    clip = clip_of(2)
    with torch.no_grad():
        states = model(pixel_values=clip.pixels[0], output_hidden_states=True).hidden_states
    for layer in (-1, -2, 1):
        tower = FrameEncoder(CHANNELS, str(tmp_path), layer=layer).tower
        got = tower(clip.pixels[0])["x"].flatten(1, 2)
        torch.testing.assert_close(got, states[layer], atol=1e-5, rtol=0)
    normed = FrameEncoder(CHANNELS, str(tmp_path), layer=-1, final_norm=True).tower(clip.pixels[0])["x"]
    torch.testing.assert_close(normed.flatten(1, 2), model.post_layernorm(states[-1]), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="layer=-5, but the tower has 3 layers"):
        FrameEncoder(CHANNELS, str(tmp_path), layer=-5)


@pytest.mark.parametrize(("config", "prefix"), [(CLIP, 1), (DINO, 5), (SIGLIP, 0)])
@pytest.mark.parametrize("layer", [-1, -2])
def test_attention_and_keys_are_those_of_the_layer_used(tmp_path, config, prefix, layer):
    model = save_tower(tmp_path, config)
    model.set_attn_implementation("eager")
    clip = clip_of(2)
    keys = []
    for module in model.modules():
        if hasattr(module, "k_proj"):
            module.k_proj.register_forward_hook(lambda module, args, out: keys.append(out))
    tokenizer = FrameEncoder(CHANNELS, str(tmp_path), layer=layer, pool=None, newline="row")
    with torch.no_grad():
        weights = model(pixel_values=tokenizer.pixels(clip.pixels[0]), output_attentions=True).attentions[layer]
    asker = weights[:, :, :1] if prefix else weights
    tokens = tokenizer([clip], ("attn", "keys"))
    patch = tokens.kind[0] == Kind.PATCH
    expected = asker.mean((1, 2))[:, prefix:].flatten()
    torch.testing.assert_close(tokens.attn[0, patch], expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(tokens.keys[0, patch], keys[layer][:, prefix:].flatten(0, 1), atol=1e-5, rtol=0)
    assert (tokens.attn[0, ~patch] == 0).all() and (tokens.keys[0, ~patch] == 0).all()


def test_pooling_keeps_the_attention_of_a_frame():
    fine, coarse = (FrameEncoder(CHANNELS, config=CLIP, pool=pool, newline=None) for pool in (None, "average"))
    coarse.load_state_dict(fine.state_dict())
    sums = [t([clip_of(1)], ("attn",)).attn.sum() for t in (fine, coarse)]
    torch.testing.assert_close(*sums)


def test_pixels_are_turned_to_the_encoders_normalisation(tmp_path):
    """The same frames, through two data preprocessors, give the same tokens."""
    save_tower(tmp_path, CLIP)
    frames = torch.rand(2, 3, SIDE, SIDE)
    mean, std = (torch.tensor(c).view(3, 1, 1) for c in normalisation(None, "clip_vision_model"))
    assert mean.flatten().tolist() == pytest.approx([0.4815, 0.4578, 0.4082], abs=1e-4)
    own = FrameEncoder(CHANNELS, str(tmp_path), pixel_mean=mean.flatten() * 255, pixel_std=std.flatten() * 255)
    other = FrameEncoder(CHANNELS, str(tmp_path))
    other.load_state_dict(own.state_dict())
    plan = clip_of(2).plan
    expected = own([Clip(plan, ((frames - mean) / std,))]).x
    got = other([Clip(plan, ((frames - 0.5) / 0.5,))]).x
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
    assert own.pixels.agrees and not other.pixels.agrees


def test_where_normalisations_agree_pixels_are_not_touched():
    pixels = torch.rand(1, 3, 2, 2)
    assert Renormalise([127.5] * 3, [127.5] * 3, [0.5] * 3, [0.5] * 3)(pixels) is pixels


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_encoder_is_not_trained(frozen):
    tokenizer = FrameEncoder(CHANNELS, config=SIGLIP, frozen=frozen)
    tokenizer([clip_of(2)]).x.square().sum().backward()
    assert all((p.grad is None) is frozen for p in tokenizer.tower.parameters())
    assert all(p.grad is not None for p in tokenizer.projector.parameters())
    assert tokenizer.newline.grad is not None


def test_a_loaded_projector_keeps_its_scale_and_a_new_one_does_not(llava):
    path, _ = llava
    loaded, new = published(path), FrameEncoder(CHANNELS, path, layer=-1)
    before = {name: value.clone() for name, value in loaded.state_dict().items()}
    loaded.match_scale(0.02)
    assert all(torch.equal(value, before[name]) for name, value in loaded.state_dict().items())
    new.match_scale(0.02)
    x = new([clip_of(8)]).x
    assert x.square().mean().sqrt().item() == pytest.approx(0.02, rel=0.1)
    assert x[0, -1].square().mean().sqrt().item() == pytest.approx(0.02)


def test_a_projector_of_another_model_is_refused(llava):
    path, _ = llava
    with pytest.raises(ValueError, match=r"weight 0.weight of the projector is \(24, 32\).* needs \(16, 32\)"):
        FrameEncoder(16, path, layer=-1, projector_path=path)


def test_missing_weights_are_explained(tmp_path):
    nowhere = str(tmp_path / "nowhere")
    with pytest.raises(
        FileNotFoundError, match=r"no checkpoint at '.*nowhere' .*'path' of model.tokenizer.*hf download"
    ):
        FrameEncoder(CHANNELS, nowhere)
    with pytest.raises(FileNotFoundError, match=r"projector_path='.*nowhere'.*hf download"):
        FrameEncoder(CHANNELS, config=SIGLIP, projector_path=nowhere)
    with pytest.raises(ValueError, match="needs 'path'.*or 'config'.*model.tokenizer"):
        FrameEncoder(CHANNELS)


@pytest.mark.parametrize("option", [dict(pool="max"), dict(newline="grid"), dict(projector="conv")])
def test_unknown_options_are_named(option):
    (key,) = option
    with pytest.raises(ValueError, match=f"{key}='{option[key]}' of the tokenizer is unknown"):
        FrameEncoder(CHANNELS, config=SIGLIP, **option)


def test_the_language_model_inside_a_llava_has_its_weights(llava):
    path, model = llava
    llm = HFDecoder(path)
    assert llm.hidden_size == TEXT["hidden_size"]
    inside = {f"model.{name}": value for name, value in model.model.language_model.state_dict().items()}
    inside["lm_head.weight"] = model.lm_head.weight
    assert llm.model.state_dict().keys() == inside.keys()
    assert all(torch.equal(value, inside[name]) for name, value in llm.model.state_dict().items())
