"""Metrics for MMEngine's evaluator."""

from .exact_match import ExactMatch, normalise_answer

__all__ = ["ExactMatch", "normalise_answer"]
