# The schedule of tiny stage 3: questions, down to a small step.
_base_ = "tiny.py"
optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(max_iters=1000, val_interval=1000)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, end=30),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=30, end=1000, eta_min=1e-5),
]
custom_hooks = [dict(type="RandomMergeRatioHook", choices=(0.0, 0.25, 0.5))]
