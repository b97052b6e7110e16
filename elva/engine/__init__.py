"""What MMEngine lacks, and nothing else. Importing it makes MMEngine's checkpoints safe (``elva.utils.compat``)."""

from elva.utils import compat

from . import hooks, loops, optimizers, strategies

compat.install()

__all__ = ["hooks", "loops", "optimizers", "strategies"]
