"""Metrics for MMEngine's evaluator."""

from .base import AnswerMetric
from .exact_match import ExactMatch, normalise_answer

__all__ = ["AnswerMetric", "ExactMatch", "normalise_answer"]
