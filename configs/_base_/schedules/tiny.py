# What the tiny stages share: AdamW on two CPU cores, in bfloat16.
optim_wrapper = dict(
    type="MixedPrecisionOptimWrapper",
    dtype="bfloat16",
    optimizer=dict(type="AdamW", lr=1.5e-3, betas=(0.9, 0.95), weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=1.0),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0, bypass_duplicate=True),  # the tied embedding
)
train_cfg = dict(type="ResumableIterLoop", max_iters=500, val_interval=500)
