# Baseline: Video-ChatGPT's layout, 100 frames in 356 tokens, from CLIP and Qwen2-7B instead of Vicuna-7B.
# Hardware: 8 x 80 GB. Command: bash tools/dist_train.sh configs/baselines/video_chatgpt_7b.py 8
# Expected: not trained by us; the projector is trained anew.
_base_ = [
    "../_base_/models/encoder_clip_7b.py",
    "../_base_/datasets/video_questions.py",
    "../_base_/schedules/baseline.py",
    "../_base_/default_runtime.py",
]
load = dict(
    _base_.load_video,
    sampler=dict(type="UniformSampler", num_frames=100),
    resolution=dict(type="FixedResolution", size=(224, 224), patch_size=224),
)
talk = dict(type="TokenizeConversation", path=_base_.text_path, template="chat")
train_dataloader = dict(dataset=dict(pipeline=[load, talk, dict(type="PackSample")]))
test_dataloader = dict(dataset=dict(pipeline=[load, dict(mode="test", **talk), dict(type="PackSample")]))
