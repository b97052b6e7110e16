# The schedule of baselines: that of stage 3, over the 178 K conversations about videos, without merging.
_base_ = "adamw_cosine.py"
optim_wrapper = dict(optimizer=dict(lr=2e-5))
train_cfg = dict(max_iters=1400, val_interval=1400)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-3, by_epoch=False, end=42),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=42, end=1400),
]
