"""Hooks: what is checked, logged, drawn at random and saved while a model trains."""

from .bounded_history_hook import BoundedHistoryHook
from .checkpoint_guard_hook import CheckpointGuardHook
from .evaluation_precision_hook import EvaluationPrecisionHook
from .interrupt_hook import InterruptHook
from .progress_hook import ProgressHook
from .random_merge_ratio_hook import RandomMergeRatioHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .skipped_samples_hook import SkippedSamplesHook
from .throughput_hook import ThroughputHook

__all__ = [
    "BoundedHistoryHook",
    "CheckpointGuardHook",
    "EvaluationPrecisionHook",
    "InterruptHook",
    "ProgressHook",
    "RandomMergeRatioHook",
    "SafeCheckpointHook",
    "SkippedSamplesHook",
    "ThroughputHook",
]
