import pytest
import torch

from elva.models.tokenizers import VideoEncoder
from elva.structures import Clip, Kind
from tests.test_models.test_tokenizers.encoders import SIGLIP, clip_of, save_tower

CHANNELS, SIDE = 24, 16
VIDEOMAE = dict(model_type="videomae", hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2)
VIDEOMAE |= dict(image_size=SIDE, patch_size=8, num_frames=4, use_mean_pooling=False)
VJEPA = dict(model_type="vjepa2", hidden_size=24, num_hidden_layers=2, num_attention_heads=2, crop_size=SIDE)
VJEPA |= dict(patch_size=8, frames_per_clip=8, pred_num_hidden_layers=1, pred_hidden_size=24)
VJEPA |= dict(pred_num_attention_heads=2, num_pooler_layers=1)
KEYS = {"videomae": "pixel_values", "vjepa2": "pixel_values_videos"}


def padded(frames, length):
    return torch.cat((frames, frames[-1:].expand(length - len(frames), -1, -1, -1)))


@pytest.mark.parametrize(("config", "chunk"), [(VIDEOMAE, 4), (VJEPA, 8)])
@pytest.mark.parametrize("length", [1, 4, 7])
def test_tokens_are_the_encoders_of_each_chunk(tmp_path, config, chunk, length):
    model = save_tower(tmp_path, config)
    tokenizer = VideoEncoder(CHANNELS, str(tmp_path))
    clip = clip_of(length, SIDE)
    frames = tokenizer.pixels(clip.pixels[0])
    own = -(-length // 2)  # tubelets
    with torch.no_grad():
        chunks = padded(frames, -(-length // chunk) * chunk).unflatten(0, (-1, chunk))
        options = {"skip_predictor": True} if config is VJEPA else {}
        features = model(**{KEYS[config["model_type"]]: chunks}, **options).last_hidden_state.flatten(0, 1)
        expected = tokenizer.projector(features[: own * 4])
        tokens = tokenizer([clip_of(3, SIDE, seed=1), clip])
    torch.testing.assert_close(tokens.x[1][tokens.valid[1]], expected, atol=1e-5, rtol=0)
    assert tokenizer.count(clip.plan) == own * 4


def test_tokens_say_which_tubelet_they_are():
    tokens = VideoEncoder(CHANNELS, config=VIDEOMAE)([clip_of(4, SIDE)])
    assert tokens.frame[0].tolist() == [0] * 4 + [1] * 4
    assert tokens.slot[0].tolist() == [0, 1, 2, 3] * 2
    assert tokens.pos[0, :, 0].tolist() == [0.5] * 4 + [2.5] * 4
    assert tokens.seconds[0].tolist() == [0.25] * 4 + [1.25] * 4
    assert (tokens.kind == Kind.PATCH).all()


def test_a_chunk_does_not_see_another():
    tokenizer, clip = VideoEncoder(CHANNELS, config=VIDEOMAE), clip_of(8, SIDE)
    other = clip.pixels[0].clone()
    other[5] += 1
    changed = (tokenizer([clip]).x != tokenizer([Clip(clip.plan, (other,))]).x).any(-1)[0]
    assert changed.tolist() == [False] * 8 + [True] * 8


def test_vjepa_takes_other_chunks_and_videomae_does_not():
    two, four = (VideoEncoder(CHANNELS, config=VJEPA, chunk=chunk) for chunk in (2, 4))
    four.load_state_dict(two.state_dict())
    assert not torch.allclose(two([clip_of(4, SIDE)]).x, four([clip_of(4, SIDE)]).x)
    for config, chunk in ((VIDEOMAE, 8), (VJEPA, 3)):
        with pytest.raises(ValueError, match=f"chunk={chunk} does not fit"):
            VideoEncoder(CHANNELS, config=config, chunk=chunk)


def test_the_predictor_is_left_out():
    names = {name for name, _ in VideoEncoder(CHANNELS, config=VJEPA).named_parameters()}
    assert not any("predictor" in name for name in names)
    assert any("layernorm" in name for name in names)


def test_pooling_halves_the_grid():
    tokenizer = VideoEncoder(CHANNELS, config=VIDEOMAE, pool="average")
    tokens = tokenizer([clip_of(4, SIDE)])
    assert tokens.x.shape == (1, tokenizer.count(clip_of(4, SIDE).plan), CHANNELS) == (1, 2, CHANNELS)
    assert tokens.grid.tolist() == [[[1, 1]] * 2]


def test_videomae_base_makes_1568_tokens_of_16_frames():
    with torch.device("meta"):
        tokenizer = VideoEncoder(CHANNELS, config=dict(model_type="videomae"))
    assert tokenizer.count(clip_of(16, 224).plan) == 1568


def test_an_image_encoder_is_refused():
    with pytest.raises(ValueError, match="takes videomae or vjepa2, but .* is a siglip_vision_model"):
        VideoEncoder(CHANNELS, config=SIGLIP)


def test_missing_weights_are_explained(tmp_path):
    with pytest.raises(FileNotFoundError, match="VideoEncoder: no checkpoint at.*hf download MCG-NJU/videomae"):
        VideoEncoder(CHANNELS, str(tmp_path / "nowhere"))
