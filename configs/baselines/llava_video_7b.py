# Baseline: LLaVA-Video's layout, 64 frames of 14 x 15 tokens, from SigLIP and Qwen2-7B; the projector is trained anew.
# Hardware: 8 x 80 GB. Command: bash tools/dist_train.sh configs/baselines/llava_video_7b.py 8
# Expected: not trained by us; LLaVA-Video-7B, with its own data: 63.3 on Video-MME, 58.6 on MVBench, 70.8 on MLVU.
_base_ = [
    "../_base_/models/encoder_siglip_7b.py",
    "../_base_/datasets/video_questions.py",
    "../_base_/schedules/baseline.py",
    "../_base_/default_runtime.py",
]
load = dict(
    _base_.load_video,
    sampler=dict(type="UniformSampler", num_frames=64),
    resolution=dict(type="FixedResolution", size=(384, 384), patch_size=384),
)
talk = dict(type="TokenizeConversation", path=_base_.text_path, template="chat")
train_dataloader = dict(dataset=dict(pipeline=[load, talk, dict(type="PackSample")]))
test_dataloader = dict(dataset=dict(pipeline=[load, dict(mode="test", **talk), dict(type="PackSample")]))
