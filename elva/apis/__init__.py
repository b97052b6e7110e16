"""What to call from outside: whole tasks in one function each, in a module of its own."""

from .inferencer import VideoInferencer
from .load_model import load_model

__all__ = ["VideoInferencer", "load_model"]
