"""Tiny checkpoints and clips for the tests of encoder-based tokenizers."""

import torch
from transformers import AutoConfig, AutoModel, LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration

from elva.structures import Clip, FramePlan

SIDE = 30  # seven patches of four, and a rest of two: as SigLIP-so400m's 384 in patches of 14
TOWER = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=2)
SIGLIP = dict(model_type="siglip_vision_model", **TOWER, image_size=SIDE, patch_size=4)
CLIP = dict(model_type="clip_vision_model", **TOWER, image_size=SIDE, patch_size=4)
DINO = dict(model_type="dinov2_with_registers", **TOWER, image_size=SIDE, patch_size=4)
TEXT = dict(model_type="qwen2", hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4)
TEXT |= dict(num_key_value_heads=2, vocab_size=60, initializer_range=0.15)
VIDEO_ID = 59


def clip_of(frames, side=SIDE, seed=0):
    generator = torch.Generator().manual_seed(seed)
    plan = FramePlan(tuple(0.5 * t for t in range(frames)), ((side, side),) * frames)
    return Clip(plan, (torch.randn(frames, 3, side, side, generator=generator),))


def save_tower(path, config):
    torch.manual_seed(0)
    model = AutoModel.from_config(AutoConfig.for_model(**config)).eval()
    model.save_pretrained(path)
    return model


def save_llava(path, **options):
    """A random LLaVA-OneVision; weights are larger than at the start of a training, where little would show."""
    torch.manual_seed(0)
    config = LlavaOnevisionConfig(
        vision_config=dict(SIGLIP, vision_use_head=False), text_config=TEXT, video_token_index=VIDEO_ID
    )
    model = LlavaOnevisionForConditionalGeneration(config).eval()
    with torch.no_grad():
        model.model.multi_modal_projector.linear_1.weight.mul_(10)
        model.model.image_newline.copy_(torch.randn(24))
    model.save_pretrained(path, **options)
    return model
