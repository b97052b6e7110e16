# The schedule of tiny stage 2: captions of clips.
_base_ = "tiny.py"
train_cfg = dict(max_iters=400, val_interval=400)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, end=30),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=30, end=400, eta_min=1e-3),
]
custom_hooks = [dict(type="RandomMergeRatioHook", choices=(0.0, 0.25, 0.5))]
