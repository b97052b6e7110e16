import pytest
import torch

from elva.models.reducers.chain import check_chain
from elva.models.tokenizers import MeanPooledFrames
from elva.structures import Kind
from tests.test_models.test_tokenizers.encoders import CLIP, clip_of, save_tower

CHANNELS = 24


def test_clip_l_makes_356_tokens_of_100_frames():
    shape = dict(
        model_type="clip_vision_model", hidden_size=1024, num_attention_heads=16, image_size=224, patch_size=14
    )
    with torch.device("meta"):
        tokenizer = MeanPooledFrames(CHANNELS, config=shape)
        clip = clip_of(100, side=224).map(lambda pixels: pixels.to("meta"))
        assert tokenizer.count(clip.plan) == tokenizer([clip]).x.shape[1] == 356


def test_tokens_are_the_means_over_places_then_over_frames(tmp_path):
    model = save_tower(tmp_path, CLIP)
    tokenizer = MeanPooledFrames(CHANNELS, str(tmp_path))
    clip = clip_of(3)
    with torch.no_grad():
        pixels = tokenizer.pixels(clip.pixels[0])
        features = model(pixel_values=pixels, output_hidden_states=True).hidden_states[-2][:, 1:]
        expected = tokenizer.projector(torch.cat((features.mean(1), features.mean(0))))
        batch = tokenizer([clip_of(5, seed=1), clip, clip_of(1, seed=2)])
    torch.testing.assert_close(batch.x[1][batch.valid[1]], expected, atol=1e-5, rtol=0)


def test_places_span_frames_and_stand_for_a_patch_of_each():
    tokens = MeanPooledFrames(CHANNELS, config=CLIP)([clip_of(3), clip_of(1)])
    kinds = [Kind.FRAME] * 3 + [Kind.PATCH] * 49
    assert tokens.kind[0].tolist() == kinds
    assert tokens.frame[0].tolist() == [0, 1, 2] + [-1] * 49
    assert tokens.slot[0].tolist() == [-1] * 3 + list(range(49))
    assert tokens.size[0].tolist() == [1] * 3 + [3] * 49
    assert tokens.seconds[0].tolist() == [0, 0.5, 1] + [0.5] * 49
    assert tokens.pos[0, 0].tolist() == [0, 3, 3]
    assert tokens.pos[0, 3 + 8].tolist() == [1, 1, 1]
    assert tokens.valid.sum(1).tolist() == [52, 50]


def test_leaves_no_grid_for_reducers_that_need_one():
    class NeedsGrid(torch.nn.Module):
        requires, needs_grid, keeps_grid = frozenset(), True, True

    tokenizer = MeanPooledFrames(CHANNELS, config=CLIP)
    with pytest.raises(ValueError, match="NeedsGrid needs frames with all the tokens of their grid"):
        check_chain(tokenizer, [NeedsGrid()])


def test_missing_weights_are_explained(tmp_path):
    with pytest.raises(FileNotFoundError, match="MeanPooledFrames: no checkpoint at.*hf download openai/clip"):
        MeanPooledFrames(CHANNELS, str(tmp_path / "nowhere"))
