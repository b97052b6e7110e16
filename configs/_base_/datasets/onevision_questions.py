# Conversations about videos as LLaVA-OneVision reads them: 32 frames of 384 x 384, no marks around a video.
_base_ = "video_questions.py"
load = dict(
    _base_.load_video,
    sampler=dict(type="UniformSampler", num_frames=32),
    resolution=dict(type="FixedResolution", size=(384, 384), patch_size=384),
)
talk = dict(type="TokenizeConversation", path=_base_.text_path, template="chat", vision_marks=False)
train_dataloader = dict(dataset=dict(pipeline=[load, talk, dict(type="PackSample")]))
test_dataloader = dict(dataset=dict(pipeline=[load, dict(mode="test", **talk), dict(type="PackSample")]))
