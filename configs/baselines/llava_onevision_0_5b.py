# Baseline: LLaVA-OneVision-0.5B from its published weights, 32 frames of 196 tokens and a newline, tuned on our videos.
# Hardware: 8 x 80 GB. Command: bash tools/dist_train.sh configs/baselines/llava_onevision_0_5b.py 8
# Expected: not trained by us.
_base_ = [
    "../_base_/models/encoder_llava_onevision_0_5b.py",
    "../_base_/datasets/onevision_questions.py",
    "../_base_/schedules/baseline.py",
    "../_base_/default_runtime.py",
]
