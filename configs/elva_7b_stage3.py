# ELVA-7B, stage 3 (instructions): the generative loss alone; no teacher, no supervisor; merge ratio drawn at random.
# Hardware: 8 x 80 GB. Command: bash tools/dist_train.sh configs/elva_7b_stage3.py 8
# Expected: not trained by us; the paper reports 47.1 on Video-MME and 51.2 on MVBench.
_base_ = [
    "_base_/models/elva_7b.py",
    "_base_/datasets/instructions.py",
    "_base_/schedules/stage3.py",
    "_base_/default_runtime.py",
]
load_from = "work_dirs/elva_7b_stage2/iter_46000.pth"
