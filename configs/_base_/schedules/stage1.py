# The schedule of the stage 1 (images). 4 M images in batches of 512, on 8 devices.
_base_ = "adamw_cosine.py"
optim_wrapper = dict(optimizer=dict(lr=4e-5))
train_cfg = dict(max_iters=7800, val_interval=7800)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-3, by_epoch=False, end=234),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=234, end=7800),
]
