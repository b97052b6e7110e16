# ELVA-tiny, stage 2 (spatiotemporal): captioned clips, all three losses, a merge ratio drawn at random.
# Hardware: 2 CPU cores. Command: python tools/train.py configs/elva_tiny_stage2.py (make demo runs all three stages)
# Expected: loss_gen of about 0.2 at the end, in two minutes.
_base_ = [
    "_base_/models/elva_tiny_supervised.py",
    "_base_/datasets/moving_shapes_captions.py",
    "_base_/schedules/tiny_stage2.py",
    "_base_/default_runtime.py",
]
work_dir = "work_dirs/demo/stage2"
load_from = "work_dirs/demo/stage1/iter_500.pth"
