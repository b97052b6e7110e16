# Baseline: EVE's patch embedding on ELVA-7B's language model and conversations, without merging.
# As many tokens a frame as ELVA has, each of 28 pixels. EVE's own images have up to 24 x 24: max_patches=576.
# Hardware: 8 x 80 GB. Command: bash tools/dist_train.sh configs/baselines/eve_7b.py 8
# It starts from Qwen2 and a new embedding: name a checkpoint that was trained on captions in load_from.
# Expected: not trained by us; ELVA's authors report 29.3 on Video-MME and 34.9 on MVBench for EVE-7B.
_base_ = [
    "../_base_/models/elva_7b.py",
    "../_base_/datasets/instructions_28px.py",
    "../_base_/schedules/stage3.py",
    "../_base_/default_runtime.py",
]
model = dict(
    tokenizer=dict(_delete_=True, type="EvePatchEmbed", patch_size=28, embed_channels=1024, num_heads=8),
    merger=dict(_delete_=True, type="NoMerge"),
)
custom_hooks = []  # no merge ratio to draw
