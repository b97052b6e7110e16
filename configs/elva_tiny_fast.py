# ELVA-tiny with the schedule of elva_7b_stage3_fast.py: stage 3 goes on with small frames among the full-size ones.
# Hardware: 2 CPU cores. Command: python tools/train.py configs/elva_tiny_fast.py (after make demo)
# Expected: two minutes, and at least 0.97 of the accuracy of the unmerged model that it starts from.
#
# The same schedule: one unit (of two frames) in four at full size, the others at half the side; two steps of 70 % in
# the first half of the layers, the first after one layer. Of 8 frames, 4 units: (4 x 4 + 4 + 1) + 3 x (2 x 2 + 2 + 1)
# = 42 rows in place of 84, and 30 after merging: the one full-size unit has no other to merge with.
# Without this training small frames are foreign to the model: on 1,000 fresh questions (seed 424242) the checkpoint of
# stage 3, 0.864 at full size and unmerged, answers 0.576 with this schedule; after it, 0.882.
_base_ = "elva_tiny_stage3.py"
work_dir = "work_dirs/demo/fast"
load_from = "work_dirs/demo/stage3/iter_1000.pth"
load_fast = dict(
    type="LoadVideo",
    reader=dict(type="PyAVReader"),
    sampler=dict(type="UniformSampler", num_frames=8),
    resolution=dict(
        type="HybridResolution",
        base=dict(type="FixedResolution", size=(48, 48), patch_size=12),
        group=4,
        low_scale=0.5,
        unit=2,
    ),
)
answers = dict(type="TokenizeConversation", path=_base_.text_path, template="chat")
model = dict(merger=dict(layers=(1, 2), ratio=0.7))
train_dataloader = dict(dataset=dict(pipeline=[load_fast, answers, dict(type="PackSample")]))
test_dataloader = dict(dataset=dict(pipeline=[load_fast, _base_.question, dict(type="PackSample")]))
train_cfg = dict(max_iters=400, val_interval=400)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, end=20),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=20, end=400, eta_min=1e-5),
]
custom_hooks = [dict(type="RandomMergeRatioHook", choices=(0.3, 0.5, 0.7))]
