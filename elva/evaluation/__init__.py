"""How answers are judged."""

from .chance import chance
from .metrics import WUPS, AnswerMetric, ExactMatch, LLMJudge, MultipleChoice
from .parsing import parse_choice
from .score_table import score_table
from .statistics import estimate_difference, estimate_mean, mcnemar
from .text import normalise_answer

__all__ = [
    "WUPS",
    "AnswerMetric",
    "ExactMatch",
    "LLMJudge",
    "MultipleChoice",
    "chance",
    "estimate_difference",
    "estimate_mean",
    "mcnemar",
    "normalise_answer",
    "parse_choice",
    "score_table",
]
