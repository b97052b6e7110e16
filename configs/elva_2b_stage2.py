# ELVA-2B, stage 2 (spatiotemporal): recaptioned images and videos, all three losses, a merge ratio drawn at random.
# Hardware: 8 x 40 GB. Command: bash tools/dist_train.sh configs/elva_2b_stage2.py 8
# Expected: not trained by us; the paper gives no numbers for this stage.
_base_ = [
    "_base_/models/elva_2b_supervised.py",
    "_base_/datasets/mixed_captions.py",
    "_base_/schedules/stage2.py",
    "_base_/default_runtime.py",
]
load_from = "work_dirs/elva_2b_stage1/iter_7800.pth"
