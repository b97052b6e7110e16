"""Metrics for MMEngine's evaluator."""

from .base import AnswerMetric
from .exact_match import ExactMatch
from .multiple_choice import MultipleChoice

__all__ = ["AnswerMetric", "ExactMatch", "MultipleChoice"]
