"""Benchmarks in their published layouts."""

from .base import Benchmark, Coverage
from .prompts import MultipleChoicePrompt, OpenPrompt, Prompt

__all__ = ["Benchmark", "Coverage", "MultipleChoicePrompt", "OpenPrompt", "Prompt"]
