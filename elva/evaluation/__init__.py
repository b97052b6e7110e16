"""How answers are judged."""

from .chance import chance
from .metrics import ExactMatch

__all__ = ["ExactMatch", "chance"]
