# ELVA-tiny, stage 1 (spatial): stills of MovingShapes as one-frame videos, all three losses, nothing to merge.
# Hardware: 2 CPU cores. Command: python tools/train.py configs/elva_tiny_stage1.py (make demo runs all three stages)
# Expected: loss_gen of about 0.1 at the end, in under two minutes.
_base_ = [
    "_base_/models/elva_tiny_supervised.py",
    "_base_/datasets/moving_shapes_images.py",
    "_base_/schedules/tiny_stage1.py",
    "_base_/default_runtime.py",
]
work_dir = "work_dirs/demo/stage1"
