# Baseline: LLaVA-OneVision-7B from its published weights, 32 frames of 196 tokens and a newline, tuned on our videos.
# Hardware: 8 x 80 GB. Command: bash tools/dist_train.sh configs/baselines/llava_onevision_7b.py 8
# Expected: not trained by us; published without this tuning: 58.2 on Video-MME, 56.7 on MVBench, 64.7 on MLVU.
_base_ = [
    "../_base_/models/encoder_llava_onevision_7b.py",
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
