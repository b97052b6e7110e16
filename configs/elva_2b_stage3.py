# ELVA-2B, stage 3 (instructions): the generative loss alone; no teacher, no supervisor; merge ratio drawn at random.
# Hardware: 8 x 40 GB. Command: bash tools/dist_train.sh configs/elva_2b_stage3.py 8
# Expected: not trained by us; the paper's 2B class reaches 41.8 on Video-MME and 43.5 on MVBench.
_base_ = [
    "_base_/models/elva_2b.py",
    "_base_/datasets/instructions.py",
    "_base_/schedules/stage3.py",
    "_base_/default_runtime.py",
]
load_from = "work_dirs/elva_2b_stage2/iter_46000.pth"
