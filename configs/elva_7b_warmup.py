# ELVA-7B, stage 0: the patch embedding and the supervisors' heads alone; Qwen2-7B and the teacher are frozen.
# Hardware: 8 x 80 GB. Command: bash tools/dist_train.sh configs/elva_7b_warmup.py 8
# Expected: a falling loss; EVE reports that training collapses without this stage.
_base_ = [
    "_base_/models/elva_7b_supervised.py",
    "_base_/datasets/image_captions.py",
    "_base_/schedules/warmup.py",
    "_base_/default_runtime.py",
]
model = dict(trainable=("tokenizer", "supervisors"))
