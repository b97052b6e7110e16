"""What a caption must be like to be kept."""

import re
from collections import Counter
from dataclasses import dataclass

from .language import LANGUAGES, is_written_in, words_of

_REFUSAL = re.compile(
    r"""^\W*(?:
        (?:i'?m|i\ am|we'?re|we\ are)\ (?:really\ |very\ )?(?:sorry|unable|not\ able|afraid)
      | (?:i|we)\ (?:can't|cannot|can\ not|won't|will\ not|do\ not|don't)\ (?:\w+\ )?
            (?:see|view|watch|access|process|analy[sz]e|describe|assist|help|provide|comply|identify|open|play|have)
      | (?:sorry|apologies|unfortunately)\b
      | as\ an?\ (?:ai|artificial|(?:large\ )?language)\b
      | (?:no|there\ (?:is|are|was|were)\ no)\ (?:video|image|frame|picture)s?\ (?:\w+\ )?
            (?:provided|attached|given|available|uploaded)
      | (?:please|could\ you)\ (?:\w+\ )?(?:provide|upload|share|attach)
      | (?:抱歉|对不起|很抱歉|我无法|我不能|作为(?:一个|一名)?(?:AI|人工智能))
    )""",
    re.IGNORECASE | re.VERBOSE,
)
"""How a refusal begins. Only the beginning is looked at: a person in a video may be 'unable' to open a jar."""

_MARKUP = re.compile(r"</?think>|<\|[^|]{1,40}\|>|<(?:image|video)>", re.IGNORECASE)
"""What a chat template or a reasoning model leaks; a tag in a caption would also ask for one more video in training."""

_NGRAM = 4


@dataclass(frozen=True)
class Rules:
    """When a caption is kept.

    Attributes:
        min_words: The fewest words (Chinese and Japanese characters count as one each). Default: 5.
        max_words: The most words. Default: 400.
        language: A key of ``LANGUAGES``, or ``'any'``. Default: ``'en'``.
        max_repetition: The largest share of the caption's 4-word sequences that may be repetitions of earlier ones;
            models that loop reach 0.8 and more, long captions in order stay below 0.2. Default: 0.4.
    """

    min_words: int = 5
    max_words: int = 400
    language: str = "en"
    max_repetition: float = 0.4

    def __post_init__(self) -> None:
        if self.language != "any" and self.language not in LANGUAGES:
            raise ValueError(f"language '{self.language}' is none of any, {', '.join(LANGUAGES)}")
        if not 1 <= self.min_words <= self.max_words:
            raise ValueError(f"words must be from at least 1 to more, got {self.min_words} to {self.max_words}")

    def fault(self, caption: str, finish_reason: str = "stop") -> tuple[str, str] | None:
        """What is wrong with a caption.

        Args:
            caption: Without space around it.
            finish_reason: Why the model ended, as the endpoint says it.

        Returns:
            A reason in one word, and what was found; None if the caption may be kept.
        """
        words = words_of(caption)
        if not words:
            return "empty", "the reply has no word in it"
        if finish_reason == "content_filter" or _REFUSAL.search(caption):
            return "refusal", "the model declined" if finish_reason == "content_filter" else caption[:80]
        if finish_reason == "length":
            return "truncated", "the reply reached max_tokens before its end"
        if found := _MARKUP.search(caption):
            return "markup", f"the reply contains {found[0]}"
        if not self.min_words <= len(words) <= self.max_words:
            return "length", f"{len(words)} words, expected {self.min_words} to {self.max_words}"
        if self.language != "any" and not is_written_in(self.language, caption):
            return "language", f"not in '{self.language}': {caption[:80]}"
        if (share := repetition(words)) > self.max_repetition:
            return "repetition", f"{share:.0%} of the {_NGRAM}-word sequences repeat earlier ones"
        return None


def repetition(words: list[str]) -> float:
    """The share of 4-word sequences that occurred before in the same text; 0 for texts below 20 words."""
    if len(words) < 20:
        return 0.0
    grams = Counter(zip(*(words[shift:] for shift in range(_NGRAM)), strict=False))
    return 1 - len(grams) / grams.total()
