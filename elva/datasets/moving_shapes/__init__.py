"""MovingShapes: a generated data set of real video files, small enough to learn in minutes on a CPU."""

from .annotate import SKILLS
from .generate import Settings, make_moving_shapes

__all__ = ["SKILLS", "Settings", "make_moving_shapes"]
