"""Training loops."""

from .resumable_iter_loop import ResumableIterLoop

__all__ = ["ResumableIterLoop"]
