# The schedule of the stage 2 (images and videos). 6 M samples in batches of 256, two iterations each, on 8 devices.
_base_ = "adamw_cosine.py"
optim_wrapper = dict(optimizer=dict(lr=4e-5), accumulative_counts=2)
train_cfg = dict(max_iters=46000, val_interval=46000)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-3, by_epoch=False, end=460),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=460, end=46000),
]
custom_hooks = [
    dict(type="RandomMergeRatioHook", choices=(0.0, 0.25, 0.5)),  # one checkpoint serves the whole curve
]
