"""What a sample costs with a config: tokens, rows of each layer, floating-point operations; from shapes alone."""

from .model import CostModel, SampleCost
from .sample import SampleShape

__all__ = ["CostModel", "SampleCost", "SampleShape"]
