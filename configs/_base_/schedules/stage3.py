# The schedule of the stage 3 (instructions). 843 K conversations in batches of 128, on 8 devices.
_base_ = "adamw_cosine.py"
optim_wrapper = dict(optimizer=dict(lr=2e-5))
train_cfg = dict(max_iters=6600, val_interval=6600)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-3, by_epoch=False, end=66),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=66, end=6600),
]
custom_hooks = [
    dict(type="RandomMergeRatioHook", choices=(0.0, 0.25, 0.5)),  # one checkpoint serves the whole curve
]
