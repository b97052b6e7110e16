# Baseline: Fuyu's linear patches on ELVA-7B's language model and conversations, without merging.
# There is no token before a frame; a newline ends each row of patches of 30 pixels.
# Hardware: 8 x 80 GB. Command: bash tools/dist_train.sh configs/baselines/fuyu_7b.py 8
# It starts from Qwen2 and a new embedding: name a checkpoint that was trained on captions in load_from.
# Expected: not trained by us; ELVA's authors report 28.7 on Video-MME and 31.6 on MVBench for Fuyu-8B.
_base_ = [
    "../_base_/models/elva_7b.py",
    "../_base_/datasets/instructions_30px.py",
    "../_base_/schedules/stage3.py",
    "../_base_/default_runtime.py",
]
model = dict(
    tokenizer=dict(_delete_=True, type="FuyuPatchEmbed", patch_size=30),
    merger=dict(_delete_=True, type="NoMerge"),
)
custom_hooks = []  # no merge ratio to draw
