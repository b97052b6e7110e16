# Baseline: Video-Panda's spatio-temporal alignment block on ELVA-7B's language model and conversations; no merging.
# As many tokens a frame as ELVA has, of 28 pixels. Video-Panda's own clips have 8 frames of 16 x 16, on Vicuna-7B.
# Hardware: 8 x 80 GB. Command: bash tools/dist_train.sh configs/baselines/video_panda_7b.py 8
# It starts from Qwen2 and a new embedding: name a checkpoint that was trained on captions in load_from.
# Expected: not trained by us; its authors report 64.7 on MSVD and 40.0 on ActivityNet.
_base_ = [
    "../_base_/models/elva_7b.py",
    "../_base_/datasets/instructions_28px.py",
    "../_base_/schedules/stage3.py",
    "../_base_/default_runtime.py",
]
model = dict(
    tokenizer=dict(_delete_=True, type="StabPatchEmbed", patch_size=28, embed_channels=1024, num_heads=8),
    merger=dict(_delete_=True, type="NoMerge"),
)
custom_hooks = []  # no merge ratio to draw
