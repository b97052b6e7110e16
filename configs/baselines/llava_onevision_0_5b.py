# Baseline: LLaVA-OneVision-0.5B from its published weights, 32 frames of 196 tokens and a newline, tuned on our videos.
# Hardware: 8 x 80 GB. Command: bash tools/dist_train.sh configs/baselines/llava_onevision_0_5b.py 8
# Expected: not trained by us.
_base_ = [
    "../_base_/models/encoder_llava_onevision_0_5b.py",
    "../_base_/datasets/video_questions.py",
    "../_base_/schedules/baseline.py",
    "../_base_/default_runtime.py",
]
load = dict(
    type="LoadVideo",
    reader=dict(type="DecordReader"),
    sampler=dict(type="UniformSampler", num_frames=32),
    resolution=dict(type="FixedResolution", size=(384, 384), patch_size=384),
)
talk = dict(type="TokenizeConversation", path=_base_.text_path, template="chat", vision_marks=False)
train_dataloader = dict(dataset=dict(pipeline=[load, talk, dict(type="PackSample")]))
test_dataloader = dict(dataset=dict(pipeline=[load, dict(mode="test", **talk), dict(type="PackSample")]))
