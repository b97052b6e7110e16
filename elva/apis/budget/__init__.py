"""A cost to keep instead of knobs to turn: frames, resolution and merging are chosen to fit it."""

from .apply import apply_budget, realised
from .budget import Budget
from .plan import BudgetPlan

__all__ = ["Budget", "BudgetPlan", "apply_budget", "realised"]
