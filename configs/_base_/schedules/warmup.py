# The schedule of the warmup (the new parts alone). The first quarter of stage 1, on 8 devices.
_base_ = "adamw_cosine.py"
optim_wrapper = dict(optimizer=dict(lr=4e-4))
train_cfg = dict(max_iters=2000, val_interval=2000)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-3, by_epoch=False, end=60),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=60, end=2000),
]
