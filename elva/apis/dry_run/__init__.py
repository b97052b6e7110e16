"""What a training run will need, before it is started."""

from .report import dry_run

__all__ = ["dry_run"]
