import copy
import json

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel

from elva.models.teachers import HFVisionTeacher

SMALL = dict(hidden_size=32, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=8)
TEXT = dict(hidden_size=32, num_attention_heads=2, intermediate_size=64, num_hidden_layers=1, vocab_size=50)
TEXT |= dict(bos_token_id=0, eos_token_id=1, pad_token_id=2)
FAMILIES = {
    "clip": ("post_layernorm", (0.48145466, 0.4578275, 0.40821073)),
    "siglip": ("post_layernorm", (0.5, 0.5, 0.5)),
    "siglip_vision_model": ("post_layernorm", (0.5, 0.5, 0.5)),
    "dinov2": ("layernorm", (0.485, 0.456, 0.406)),
    "dinov2_with_registers": ("layernorm", (0.485, 0.456, 0.406)),
    "vit": ("layernorm", (0.5, 0.5, 0.5)),
}


def make_checkpoint(directory, family):
    if family in ("clip", "siglip"):
        towers = dict(vision_config={**SMALL, "num_hidden_layers": 2}, text_config=TEXT, projection_dim=32)
        config = AutoConfig.for_model(family, **towers)
    else:
        config = AutoConfig.for_model(family, **SMALL, num_hidden_layers=2)
    torch.manual_seed(0)
    model = AutoModel.from_config(config).eval()
    model.save_pretrained(directory)
    return getattr(model, "vision_model", model)


@pytest.fixture
def siglip(tmp_path):
    make_checkpoint(tmp_path, "siglip_vision_model")
    return str(tmp_path)


@pytest.mark.parametrize("family", FAMILIES)
def test_features_are_the_normed_patch_tokens_of_each_family(tmp_path, family):
    norm_name, mean = FAMILIES[family]
    tower = make_checkpoint(tmp_path, family)
    normed = []
    getattr(tower, norm_name).register_forward_pre_hook(lambda module, args: normed.append(args[0]))
    teacher = HFVisionTeacher(str(tmp_path))
    frames = torch.rand(2, 3, 3, 32, 32)
    features = teacher(frames)
    assert (teacher.channels, teacher.image_size) == (32, 32)
    assert features.shape == (2, 3, 4, 4, 32)

    std = teacher._frame_std.view(3, 1, 1)
    with torch.no_grad():
        pixels = (frames.flatten(0, 1) - torch.tensor(mean).view(3, 1, 1)) / std
        hidden = tower(pixel_values=pixels, output_hidden_states=True).hidden_states[-1]
        expected = getattr(tower, norm_name)(hidden)[:, -16:]
    torch.testing.assert_close(features.flatten(0, 1).flatten(1, 2), expected, atol=1e-5, rtol=1e-4)


def test_patches_keep_their_places(siglip):
    teacher = HFVisionTeacher(siglip, layer=0)  # the embeddings: each knows its own patch alone
    frames = torch.rand(1, 1, 3, 32, 32)
    other = frames.clone()
    other[..., 9, 17] += 1  # row 1, column 2 of the 4 x 4 patches
    assert (teacher(frames) != teacher(other)).any(-1)[0, 0].nonzero().tolist() == [[1, 2]]


def test_an_earlier_layer_is_another_feature(siglip):
    frames = torch.rand(1, 2, 3, 32, 32)
    assert not torch.allclose(HFVisionTeacher(siglip, layer=-2)(frames), HFVisionTeacher(siglip)(frames))


def test_preprocessor_config_sets_the_normalisation(siglip, tmp_path):
    frames = torch.rand(1, 1, 3, 32, 32)
    default = HFVisionTeacher(siglip)(frames)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(dict(image_mean=[0.1] * 3, image_std=[0.2] * 3)))
    stored = HFVisionTeacher(siglip)
    torch.testing.assert_close(stored((frames - 0.5) / 0.5 * 0.2 + 0.1), default, atol=1e-5, rtol=1e-4)


def test_is_frozen_and_always_in_eval_mode(siglip):
    teacher = HFVisionTeacher(siglip)
    holder = nn.ModuleList([teacher]).train()
    assert not any(module.training for module in teacher.model.modules())
    assert not any(p.requires_grad for p in teacher.model.parameters())
    assert not list(holder.parameters())
    assert not teacher(torch.rand(1, 1, 3, 32, 32, requires_grad=True)).requires_grad


def test_is_in_no_checkpoint(siglip):
    holder = nn.ModuleDict({"teacher": HFVisionTeacher(siglip), "head": nn.Linear(2, 2)})
    assert set(holder.state_dict()) == {"head.weight", "head.bias"}
    holder.load_state_dict(copy.deepcopy(holder.state_dict()), strict=True)


def test_moves_with_the_module_that_holds_it(siglip):
    holder = nn.ModuleList([HFVisionTeacher(siglip)]).to(torch.float64)
    assert {p.dtype for p in holder[0].model.parameters()} == {torch.float64}
    assert holder[0](torch.rand(1, 1, 3, 32, 32)).dtype == torch.float64


def test_dtype_is_that_of_the_weights(siglip):
    teacher = HFVisionTeacher(siglip, dtype="bfloat16")
    low = teacher(torch.ones(1, 1, 3, 32, 32) * 0.7)
    assert low.dtype == torch.bfloat16
    high = HFVisionTeacher(siglip)(torch.ones(1, 1, 3, 32, 32) * 0.7)
    torch.testing.assert_close(low.float(), high, atol=0.1, rtol=0.1)


@pytest.mark.parametrize("family", ["siglip_vision_model", "dinov2"])
def test_image_size_may_differ_from_the_checkpoints(tmp_path, family):
    make_checkpoint(tmp_path, family)
    teacher = HFVisionTeacher(str(tmp_path), image_size=48)
    assert teacher.image_size == 48
    assert teacher(torch.rand(1, 2, 3, 48, 48)).shape == (1, 2, 6, 6, 32)
    with pytest.raises(ValueError, match="image_size=50 is no multiple.*patch of 8"):
        HFVisionTeacher(str(tmp_path), image_size=50)


def test_a_checkpoints_own_size_may_leave_a_rest():
    with torch.device("meta"):  # as SigLIP-so400m: 384 pixels in patches of 14
        config = dict(model_type="siglip_vision_model", image_size=384, patch_size=14)
        teacher = HFVisionTeacher("/nowhere/siglip", config=config)
        assert teacher(torch.rand(1, 1, 3, 384, 384)).shape[2:4] == (27, 27)


def test_frames_of_another_size_are_resized(siglip):
    assert HFVisionTeacher(siglip)(torch.rand(1, 2, 3, 20, 48)).shape == (1, 2, 4, 4, 32)


def test_identity_follows_the_features_and_not_the_path(siglip, tmp_path):
    one = HFVisionTeacher(siglip).identity
    moved = tmp_path / "moved"
    make_checkpoint(moved, "siglip_vision_model")
    assert HFVisionTeacher(str(moved)).identity == one
    assert HFVisionTeacher(siglip, layer=-2).identity != one
    model = AutoModel.from_pretrained(siglip)
    with torch.no_grad():
        model.post_layernorm.bias.add_(1)
    model.save_pretrained(moved)
    assert HFVisionTeacher(str(moved)).identity != one


def test_a_missing_checkpoint_is_explained(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint at '.*nowhere'.*hf download.*HOGTeacher"):
        HFVisionTeacher(str(tmp_path / "nowhere"))


def test_a_config_without_weights_is_explained(siglip, tmp_path):
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="hf download"):
        HFVisionTeacher(siglip)


def test_weights_that_lack_a_layer_are_refused(tmp_path):
    make_checkpoint(tmp_path, "dinov2")
    config = json.loads((tmp_path / "config.json").read_text())
    config |= dict(num_hidden_layers=3, stage_names=None, out_features=None, out_indices=None)
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="lacks .* weights of its vision tower"):
        HFVisionTeacher(str(tmp_path))


def test_a_model_that_is_no_vision_transformer_is_refused(tmp_path):
    AutoConfig.for_model("llama").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="llama with image_size=None"):
        HFVisionTeacher(str(tmp_path))


def test_builds_on_meta_from_the_directory_or_from_a_config(siglip):
    with torch.device("meta"):
        stored = HFVisionTeacher(siglip)
        absent = HFVisionTeacher("/nowhere/siglip", config=dict(model_type="siglip_vision_model", hidden_size=768))
        features = absent(torch.rand(1, 2, 3, 224, 224))
    assert stored.model.device.type == absent.model.device.type == "meta"
    assert (stored.channels, absent.channels) == (32, 768)
    assert features.shape == (1, 2, 14, 14, 768)
    with pytest.raises(FileNotFoundError, match="/nowhere/siglip"):  # the config replaces no weights
        HFVisionTeacher("/nowhere/siglip", config=dict(model_type="siglip_vision_model"))
