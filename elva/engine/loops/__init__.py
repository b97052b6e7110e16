"""Training and evaluation loops."""

from .evaluation_loop import EvaluationLoop
from .resumable_iter_loop import ResumableIterLoop

__all__ = ["EvaluationLoop", "ResumableIterLoop"]
