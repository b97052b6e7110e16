# How the full-size models see: native aspect, at most 144 patches a frame. All Qwen2 models share one vocabulary.
data_root = "data/elva/"
text_path = "Qwen/Qwen2-7B-Instruct"
load_image = dict(
    type="LoadVideo",
    reader=dict(type="PyAVReader"),
    sampler=dict(type="UniformSampler", num_frames=1),
    resolution=dict(type="NativeResolution", patch_size=16, max_patches=144),
)
load_video = dict(
    type="LoadVideo",
    reader=dict(type="DecordReader"),
    sampler=dict(type="UniformSampler", num_frames=16),
    resolution=dict(type="NativeResolution", patch_size=16, max_patches=144),
)
load_hybrid = dict(  # for testing: of 32 frames, every other one at half the side
    type="LoadVideo",
    reader=dict(type="DecordReader"),
    sampler=dict(type="UniformSampler", num_frames=32),
    resolution=dict(
        type="HybridResolution",
        base=dict(type="NativeResolution", patch_size=16, max_patches=144),
        group=2,
        low_scale=0.5,
    ),
)
