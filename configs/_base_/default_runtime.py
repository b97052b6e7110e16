# What every run shares: hooks, logging, environment. A config replaces single hooks by their keys,
# e.g. default_hooks = dict(merge_ratio=dict(type='RandomMergeRatioHook')).
default_scope = "elva"

default_hooks = dict(
    # MMEngine's own
    runtime_info=dict(type="RuntimeInfoHook"),
    timer=dict(type="IterTimerHook"),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    logger=dict(type="LoggerHook", interval=10, log_metric_by_epoch=False),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(type="SafeCheckpointHook", interval=1000, by_epoch=False, max_keep_ckpts=2),
    # checks
    checkpoint_guard=dict(type="CheckpointGuardHook"),
    interrupt=dict(type="InterruptHook"),
    skipped_samples=dict(type="SkippedSamplesHook"),
    # logs
    throughput=dict(type="ThroughputHook"),
    bounded_history=dict(type="BoundedHistoryHook"),
    progress=dict(type="ProgressHook"),
    # numerics
    evaluation_precision=dict(type="EvaluationPrecisionHook"),
)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    dist_cfg=dict(backend="nccl"),
)

vis_backends = [dict(type="LocalVisBackend"), dict(type="TensorboardVisBackend")]
visualizer = dict(type="Visualizer", vis_backends=vis_backends)
log_processor = dict(type="LogProcessor", window_size=10, by_epoch=False)
log_level = "INFO"

randomness = dict(seed=0)  # a run without a seed could not be resumed in the same order
load_from = None
resume = False
