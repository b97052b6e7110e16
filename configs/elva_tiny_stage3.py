# ELVA-tiny, stage 3 (instructions): questions about clips, the generative loss alone, a merge ratio drawn at random.
# Hardware: 2 CPU cores. Command: python tools/train.py configs/elva_tiny_stage3.py (make demo runs all three stages)
# Expected: six minutes, and an accuracy on test_qa.json of 0.876 merged and 0.866 unmerged.
_base_ = [
    "_base_/models/elva_tiny.py",
    "_base_/datasets/moving_shapes_questions.py",
    "_base_/schedules/tiny_stage3.py",
    "_base_/default_runtime.py",
]
work_dir = "work_dirs/demo/stage3"
load_from = "work_dirs/demo/stage2/iter_400.pth"
