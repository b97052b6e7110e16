# The schedule of tiny stage 1: a short look at stills.
_base_ = "tiny.py"
train_cfg = dict(max_iters=500, val_interval=500)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, end=50),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=50, end=500, eta_min=1e-3),
]
