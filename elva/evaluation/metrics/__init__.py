"""Metrics for MMEngine's evaluator."""

from .base import AnswerMetric
from .count_error import CountError
from .exact_match import ExactMatch
from .llm_judge import LLMJudge
from .multiple_choice import MultipleChoice
from .several import score_all, tell_apart
from .unscored import Unscored
from .wups import WUPS

__all__ = [
    "WUPS",
    "AnswerMetric",
    "CountError",
    "ExactMatch",
    "LLMJudge",
    "MultipleChoice",
    "Unscored",
    "score_all",
    "tell_apart",
]
