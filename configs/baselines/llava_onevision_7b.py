# Baseline: LLaVA-OneVision-7B from its published weights, 32 frames of 196 tokens and a newline, tuned on our videos.
# Hardware: 8 x 80 GB. Command: bash tools/dist_train.sh configs/baselines/llava_onevision_7b.py 8
# Expected: not trained by us; published without this tuning: 58.2 on Video-MME, 56.7 on MVBench, 64.7 on MLVU.
_base_ = [
    "../_base_/models/encoder_llava_onevision_7b.py",
    "../_base_/datasets/onevision_questions.py",
    "../_base_/schedules/baseline.py",
    "../_base_/default_runtime.py",
]
