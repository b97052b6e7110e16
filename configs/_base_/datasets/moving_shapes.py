# MovingShapes, as tools/dataset_tools/make_moving_shapes.py renders it: 48 x 48 pixels, 8 of 16 frames are read.
data_root = "work_dirs/demo/data/"
text_path = "work_dirs/demo/llm"
load_image = dict(
    type="LoadVideo",
    reader=dict(type="PyAVReader"),
    sampler=dict(type="UniformSampler", num_frames=1),
    resolution=dict(type="FixedResolution", size=(48, 48), patch_size=12),
)
load_video = dict(
    type="LoadVideo",
    reader=dict(type="PyAVReader"),
    sampler=dict(type="UniformSampler", num_frames=8),
    resolution=dict(type="FixedResolution", size=(48, 48), patch_size=12),
)
train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    collate_fn=dict(type="collate_samples"),
)
