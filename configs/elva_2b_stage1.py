# ELVA-2B, stage 1 (spatial): recaptioned images as one-frame videos, all three losses, nothing to merge.
# Hardware: 8 x 40 GB. Command: bash tools/dist_train.sh configs/elva_2b_stage1.py 8
# Expected: not trained by us; the paper gives no numbers for this stage.
_base_ = [
    "_base_/models/elva_2b_supervised.py",
    "_base_/datasets/image_captions.py",
    "_base_/schedules/stage1.py",
    "_base_/default_runtime.py",
]
load_from = "work_dirs/elva_2b_warmup/iter_2000.pth"
