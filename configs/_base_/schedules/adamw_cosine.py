# AdamW without weight decay, mixed precision, gradients clipped: the recipe of EVE and Video-Panda.
# ELVA's own is not published. Each stage gives its learning rate, its length and its param_scheduler.
optim_wrapper = dict(
    type="MixedPrecisionOptimWrapper",
    dtype="bfloat16",
    optimizer=dict(type="AdamW", lr=4e-5, betas=(0.9, 0.95), weight_decay=0.0),
    clip_grad=dict(max_norm=1.0),
)
train_cfg = dict(type="ResumableIterLoop", max_iters=10000, val_interval=10000)
strategy = dict(type="FSDP2Strategy")  # weights, gradients and moments divided over the devices
