# Stage 3's conversations for tokens of 28 pixels: native aspect, at most 144 tokens a frame, no hybrid resolution.
_base_ = "instructions.py"
native = dict(type="NativeResolution", patch_size=28, max_patches=144)
load_image = dict(_base_.load_image, resolution=native)
load_video = dict(_base_.load_video, resolution=native)
images = dict(pipeline=[load_image, _base_.conversation, dict(type="PackSample")])
videos = dict(pipeline=[load_video, _base_.conversation, dict(type="PackSample")])
train_dataloader = dict(dataset=dict(datasets=dict(images=dict(dataset=images), videos=dict(dataset=videos))))
test_dataloader = dict(dataset=dict(pipeline=[load_video, _base_.question, dict(type="PackSample")]))
